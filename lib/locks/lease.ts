// A lock in Postgres: a row with a token and a time, the same statements on PGlite.
// Promise: the database's clock alone decides what has expired; a process that dies leaves a row
// that the next taker overwrites. Session advisory locks would not do: PGlite has one session.
import type { Hold, Lock } from '../contract.ts'
import { newToken } from '../id.ts'

/** Something statements can be sent to, each committed by itself. */
export interface LeaseRunner {
  query(text: string, params: readonly unknown[]): Promise<{ rows: unknown[] }>
}

const ACQUIRE = `
  INSERT INTO locks (key, token, expires_at)
  VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
  ON CONFLICT (key) DO UPDATE SET token = excluded.token, expires_at = excluded.expires_at
  WHERE locks.expires_at < clock_timestamp()
  RETURNING true`

const EXTEND = `
  UPDATE locks SET expires_at = clock_timestamp() + $3 * interval '1 millisecond'
  WHERE key = $1 AND token = $2 AND expires_at >= clock_timestamp()
  RETURNING true`

const RELEASE = 'DELETE FROM locks WHERE key = $1 AND token = $2'

/** Over the table `locks (key text primary key, token uuid, expires_at timestamptz)`. */
export class LeaseLock implements Lock {
  readonly #runner: LeaseRunner

  /** @param runner must not be inside a transaction: a lease is seen by others at once */
  constructor(runner: LeaseRunner) {
    this.#runner = runner
  }

  async acquire(key: string, ttlMs: number): Promise<Hold | null> {
    const token = newToken()
    const says = async (statement: string, ...params: unknown[]) =>
      (await this.#runner.query(statement, [key, token, ...params])).rows.length > 0

    if (!(await says(ACQUIRE, ttlMs))) return null
    return {
      extend: (ttlMs) => says(EXTEND, ttlMs),
      release: async () => void (await says(RELEASE)),
    }
  }

  async close(): Promise<void> {}
}
