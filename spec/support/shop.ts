// A shop: a database that has nothing but due entries, and looks at them.
import type { Dealer } from '../../lib/dealer.ts'
import { type DueQuestion, takeDue } from '../../lib/dues.ts'
import { migrations } from '../../models/migrations/index.ts'
import { bareDatabase, freshSchema } from './house.ts'

export const NOW = 1_800_000_000_000
export const TOLD_MS = 5_000
export const HOUR_MS = 3_600_000
export const LIMIT = 400

interface Entry {
  readonly share: string
  readonly count: number
  readonly rank?: number
  /** How late the first is, and how much less each that follows. */
  readonly lateMs?: number
  readonly stepMs?: number
}

export async function shop(setting: 'embedded' | 'postgres' | 'full') {
  const schema = freshSchema()
  const { database, dismiss } = await bareDatabase(setting, schema, { migrations })
  await database.migrate()
  await database.query('ALTER TABLE dues DROP CONSTRAINT dues_task_id_fkey')
  const close = async () => {
    await database.query(`DROP SCHEMA "${schema}" CASCADE`)
    await dismiss()
  }
  const add = async ({ share, count, rank = 5, lateMs = HOUR_MS, stepMs = 1 }: Entry) => {
    await database.query(
      `INSERT INTO dues (task_id, resource_id, due_at, look_at, share, rank, reason)
       SELECT gen_random_uuid(), gen_random_uuid(), t, t, $1, $2, 'timer'
       FROM (SELECT to_timestamp(($3::double precision + i * $4::double precision) / 1000.0) AS t FROM generate_series(0, $5::integer - 1) i) x`,
      [share, rank, NOW - lateMs, stepMs, count],
    )
  }
  const look = (dealer: Dealer, more: Partial<DueQuestion> = {}) =>
    takeDue(database, {
      ...{ limit: LIMIT, isFull: false, nowMs: NOW, toldMs: TOLD_MS, queue: 'ticks', dealer },
      ...more,
    })
  const left = async (share: string) =>
    (
      await database.query(
        `SELECT count(*)::integer AS n FROM dues WHERE share = $1 AND look_at <= to_timestamp($2 / 1000.0)`,
        [share, NOW],
      )
    ).rows[0].n as number
  return { database, add, look, left, close }
}
