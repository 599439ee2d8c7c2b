// Work of ours in a transaction of somebody else's, which may look for its tables elsewhere.
// Promise: names resolve in our schema while it lasts, and in theirs again afterwards; what is no transaction, or one of
// another database, is refused before anything is written.
import { fault } from './errors.ts'
import type { Runner } from './runner.ts'

/** @throws TRANSACTION_FOREIGN, and what the work throws; then the transaction is theirs to roll back */
export async function within<T>(
  trx: Runner,
  schema: string,
  work: (runner: Runner) => Promise<T>,
): Promise<T> {
  const foreign = (reason: string) => fault('TRANSACTION_FOREIGN', { reason })
  if (typeof trx?.query !== 'function') throw foreign('it has no query(text, params)')
  const { rows } = await trx.query(
    `SELECT current_setting('search_path') AS path, set_config('search_path', $1, true) AS ours,
       to_regclass($2) IS NOT NULL AS there`,
    [`"${schema}"`, `"${schema}".tasks`],
  )
  const [{ path, ours, there }] = rows
  if (!there) throw foreign(`its database has no schema "${schema}" of this app`)
  await trx.query(`SELECT set_config('escapement.joined', 'on', true)`)
  const joined = await trx.query(`SELECT current_setting('escapement.joined', true) AS joined`)
  if (joined.rows[0].joined !== 'on' || !ours) throw foreign('no transaction is open in it')
  const value = await work(trx)
  await trx.query(`SELECT set_config('search_path', $1, true)`, [path])
  return value
}
