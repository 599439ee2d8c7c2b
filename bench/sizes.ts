// What rows take on the disk, and what a look of the clock takes, measured on a PostgreSQL of its own.
// Promise: the tables are those of the migrations, filled with short names and small snapshots; the server is gone
// afterwards, whatever happened.
import { Database } from '../lib/database.ts'
import { Dealer } from '../lib/dealer.ts'
import { takeDue } from '../lib/dues.ts'
import { migrations } from '../models/migrations/index.ts'
import { startPrivatePostgres } from '../spec/support/services.ts'
import type { Sizes } from './model.ts'
import { POSTGRES_SETTINGS } from './servers.ts'
import { median } from './sums.ts'

const SLEEPERS = 100_000
const LOOKS = 9
const TICKETS = 1_000

/** An id as lib/id.ts makes them: later ones are greater. */
const ID = (kind: string) =>
  `(lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5('${kind}' || n), 1, 3) || '8' || substr(md5(n || '${kind}'), 1, 15))::uuid`

/** Tasks asleep: each a resource with a lease, a task with one line of history, a due entry an hour away. No two moments are alike. */
const FILL = [
  `INSERT INTO resources (id, kind, fields, created_at, updated_at)
   SELECT ${ID('r')}, 'Walker', '{"plan":"small","ip":"10.0.0.1"}', now(), now() FROM generate_series(1, $1::int) n`,
  `INSERT INTO leases (resource_id, fence, owner, claimed_at)
   SELECT ${ID('r')}, 1, 'host-1234-abcdef', now() FROM generate_series(1, $1::int) n`,
  `INSERT INTO tasks (id, resource_id, name, machine_version, step, rest_step, status, state, started_at, moved_at)
   SELECT ${ID('t')}, ${ID('r')}, 'chain', '0123456789abcdef', 1, 1, 'running', 's1', now() + n * interval '1 ms', now()
   FROM generate_series(1, $1::int) n`,
  `INSERT INTO transitions (task_id, step, from_state, to_state, event, snapshot, actor, fence, unit_id, at)
   SELECT ${ID('t')}, 1, '__new__', 's1', '__start__', '{"value":"s1","context":{},"timers":[],"effects":[]}', 'host-1234-abcdef',
     1, ${ID('u')}, now() + n * interval '1 ms' FROM generate_series(1, $1::int) n`,
  `INSERT INTO dues (task_id, resource_id, due_at, look_at, reason, share)
   SELECT ${ID('t')}, ${ID('r')}, now() + interval '1 hour' + n * interval '1 ms',
     now() + interval '1 hour' + n * interval '1 ms', 'timer', 'Walker' FROM generate_series(1, $1::int) n`,
]

/** Starts a server, fills it, measures. @throws when there is no postgres */
export async function measureSizes(): Promise<Sizes> {
  const postgres = await startPrivatePostgres(POSTGRES_SETTINGS)
  const at = { url: postgres.url }
  const database = new Database({ at, schema: 'escapement', poolSize: 2, migrations })
  try {
    await database.migrate()
    for (const statement of FILL) await database.query(statement, [SLEEPERS])
    await database.query('VACUUM ANALYZE')
    const rows = await sizes(database)
    return { ...rows, ...(await looks(database)) }
  } finally {
    await database.close()
    await postgres.stop()
  }
}

async function sizes(database: Database): Promise<Omit<Sizes, 'lookMs' | 'emptyLookMs'>> {
  const { rows } = await database.query(
    `SELECT relname AS name, pg_table_size(oid)::float8 AS bytes, pg_indexes_size(oid)::float8 AS indexes
     FROM pg_class WHERE relname IN ('resources', 'leases', 'tasks', 'transitions', 'dues')
       AND relnamespace = 'escapement'::regnamespace`,
  )
  const of = new Map<string, { bytes: number; indexes: number }>(
    rows.map(({ name, bytes, indexes }) => [
      name,
      { bytes: bytes / SLEEPERS, indexes: indexes / SLEEPERS },
    ]),
  )
  const sum = (names: readonly string[], part: 'bytes' | 'indexes') =>
    names.reduce((before, name) => before + of.get(name)![part], 0)
  const all = [...of.keys()]
  const line = of.get('transitions')!
  return {
    bytesPerSleeper: Math.round(sum(all, 'bytes') + sum(all, 'indexes')),
    hotBytesPerSleeper: Math.round(sum(['leases', 'tasks', 'dues'], 'bytes') + sum(all, 'indexes')),
    bytesPerStep: Math.round(line.bytes + line.indexes),
    bytesPerTaskRow: Math.round(of.get('tasks')!.bytes),
  }
}

/** Each look at what nobody was told of: a thousand fall due before it. */
async function looks(database: Database): Promise<Pick<Sizes, 'lookMs' | 'emptyLookMs'>> {
  const dealer = new Dealer()
  const look = async () => {
    const startedAt = performance.now()
    const question = { limit: TICKETS, toldMs: 5_000, isFull: false, queue: 'ticks', dealer }
    const { tickets } = await takeDue(database, { ...question, nowMs: Date.now() })
    return { ms: performance.now() - startedAt, count: tickets.length }
  }
  const full: number[] = []
  const empty: number[] = []
  for (let round = 0; round < LOOKS; round++) {
    empty.push((await look()).ms)
    await database.query(
      `UPDATE dues SET due_at = now() - interval '1 second', look_at = now() - interval '1 second'
       WHERE task_id IN (SELECT task_id FROM dues WHERE look_at > now() + interval '1 minute' LIMIT $1)`,
      [TICKETS],
    )
    const { ms, count } = await look()
    if (count !== TICKETS) throw new Error(`A look took ${count} tickets instead of ${TICKETS}.`)
    full.push(ms)
  }
  return { lookMs: rounded(median(full)), emptyLookMs: rounded(median(empty)) }
}

const rounded = (value: number) => Number(value.toPrecision(3))
