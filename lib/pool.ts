// The pool: how connections to PostgreSQL are made, over the network or inside this process.
// Promise: every statement has a deadline on both ends, every name resolves in the schema it was made for, and a
// connection that was lost while it rested is nobody's error. The only door to pg.
import pg from 'pg'

export type Pool = pg.Pool
export type Connection = pg.PoolClient
/** What the driver makes of each statement. */
export const DriverQuery = pg.Query

/** What `lib/embedded.ts` offers: a fresh wire to the database inside this process. */
export interface Wire {
  stream(): any
}

/** Where a database is, and how long it may take. */
export interface Address {
  /** Where PostgreSQL is; or the embedded one. */
  readonly at: { readonly url: string } | { readonly wire: Wire }
  /** Client-side and server-side bound of one statement. */
  readonly statementMs?: number
}

const INT8 = 20
const TIMESTAMPTZ = 1184
/** No transaction of ours waits for anything: one that rests was left by a stopped process, its rows locked. */
const RESTING_MS = 5_000
/**
 * A tick finds all it wants by an index; a planner without statistics may think a table too small for that, and keep to
 * it. Its statements want one plan whatever they are filled with: made anew for each, the plan costs more than the work.
 */
export const TICKING = ' -c enable_seqscan=off -c jit=off -c plan_cache_mode=force_generic_plan'
/** Of a connection that many share: whoever waits longer for a lock lets the others pass, and waits elsewhere. */
export const SHARED = `${TICKING} -c lock_timeout=100`
/** int8 as number (ours stay below 2^53), timestamptz as epoch milliseconds. */
const types = {
  getTypeParser(oid: number, format?: any): any {
    if (oid === INT8) return Number
    const parse = pg.types.getTypeParser(oid, format) as (text: string) => unknown
    if (oid === TIMESTAMPTZ) return (text: string) => (parse(text) as Date).getTime()
    return parse
  },
}

/** @param more settings of the server, as its command line has them */
export function poolOf(address: Address, schema: string, max: number, more = ''): Pool {
  const pool = new pg.Pool({
    ...{ ...settingsOf(address, schema, more), max, types },
    ...(more.startsWith(TICKING) && { pipeline: true }),
  } as pg.PoolConfig)
  // An idle client that loses its server says so here; the next query gets a new one.
  pool.on('error', () => {})
  // One dismissed in the packet that made it ready says so before whoever asked for it can listen.
  pool.on('connect', (client) => client.on('error', () => {}))
  pool.setMaxListeners(0)
  return pool
}

/** What one connection is made from. */
export function settingsOf(
  { at, statementMs = 10_000 }: Address,
  schema: string,
  more = '',
): Record<string, unknown> {
  const restingMs = Math.min(statementMs, RESTING_MS)
  const settings = `-c search_path=${schema} -c statement_timeout=${statementMs} -c lock_timeout=${statementMs} -c idle_in_transaction_session_timeout=${restingMs}${more}`
  const common = { application_name: 'escapement', options: settings, types }
  if ('wire' in at)
    return { ...common, user: 'postgres', ssl: false, stream: () => at.wire.stream() }
  return {
    ...common,
    connectionString: at.url,
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
    query_timeout: statementMs + 2_000,
  }
}
