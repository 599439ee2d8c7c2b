// The witness: what a scene that waits in vain looks like at that moment, so that its failure need not be played again.
// Promise: asks the database and what the processes told, changes nothing, and never hides the failure it goes with.
import type { StaffProcess } from '../support/processes.ts'
import type { Sql } from './invariants.ts'

/** What each process told last: so many events of it. */
const LAST_EVENTS = 8

const WORK = `
  SELECT count(*) FILTER (WHERE finished_at IS NULL) AS open, count(*) AS all FROM tasks`
const STATES = `
  SELECT name, status, state, count(*) AS count FROM tasks WHERE finished_at IS NULL
  GROUP BY name, status, state ORDER BY name, status, state`
const DUES = `
  SELECT count(*) AS all, count(*) FILTER (WHERE due_at <= clock_timestamp()) AS due,
    count(*) FILTER (WHERE look_at <= clock_timestamp()) AS shown FROM dues`
const SESSIONS = `
  SELECT state, wait_event_type AS type, wait_event AS event, left(query, 60) AS query, count(*) AS count
  FROM pg_stat_activity WHERE application_name = $1 GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC`

export interface Witnessed {
  readonly sql: Sql
  readonly schema: string
  readonly processes: readonly StaffProcess[]
}

/** @returns many lines */
export async function witness({ sql, schema, processes }: Witnessed): Promise<string> {
  const rows = async (title: string, text: string, params?: readonly unknown[]) => {
    const found = await sql(text, params).catch((error) => [`not told: ${error.message}`])
    return [`${title}:`, ...found.map((row) => `  ${JSON.stringify(row)}`)]
  }
  const lines = [
    ...(await rows('tasks', WORK)),
    ...(await rows('those under way', STATES)),
    ...(await rows('entries of the clock', DUES)),
    ...(await rows('sessions', SESSIONS, [schema])),
    ...processes.flatMap(last),
  ]
  return lines.join('\n')
}

function last({ name, isRunning, told }: StaffProcess): string[] {
  const is = isRunning ? 'runs' : 'has ended'
  const said = told.slice(-LAST_EVENTS).map((event) => `  ${JSON.stringify(event)}`)
  return [`${name} ${is}, and told of ${told.length} events, the last of them:`, ...said]
}
