// A lock in Postgres: a row with a token and a time, the same statements on PGlite.
// Promise: the database's clock alone decides what has expired; a process that dies leaves a row
// that the next taker overwrites. Session advisory locks would not do: PGlite has one session.
// What is asked during one trip goes together in the next, rows always locked in the order of their keys. Who asks for a
// key that is held leaves a mark in its row.

import { Coalescer } from '../coalescer.ts'
import type { Hold, Lock } from '../contract.ts'
import { newToken } from '../id.ts'
import { keyed } from '../keyed.ts'

/** Something statements can be sent to, each committed by itself. */
export interface LeaseRunner {
  query(text: string, params: readonly unknown[]): Promise<{ rows: unknown[] }>
}

const ASKED = 'unnest($1::text[], $2::uuid[], $3::float8[]) AS asked (key, token, ttl)'
const EXPIRY = "clock_timestamp() + asked.ttl * interval '1 millisecond'"

const ACQUIRE = `
  INSERT INTO locks AS held (key, token, expires_at)
  SELECT asked.key, asked.token, ${EXPIRY} FROM ${ASKED} ORDER BY asked.key
  ON CONFLICT (key) DO UPDATE SET
    is_wanted = held.expires_at >= clock_timestamp(),
    token = CASE WHEN held.expires_at < clock_timestamp() THEN excluded.token ELSE held.token END,
    expires_at = CASE WHEN held.expires_at < clock_timestamp() THEN excluded.expires_at ELSE held.expires_at END
  RETURNING token, NOT is_wanted AS is_yes`

/** The rows that are still the askers', held in order until the statement is over. */
const OURS = `
  WITH ours AS (
    SELECT asked.key, asked.token, asked.ttl FROM ${ASKED} JOIN locks USING (key, token)
    WHERE locks.key = ANY($1) ORDER BY locks.key FOR UPDATE OF locks
  )`

const EXTEND = `${OURS}
  UPDATE locks SET expires_at = ${EXPIRY} FROM ours AS asked
  WHERE ${keyed('locks.key', 'asked.key')} AND locks.token = asked.token AND expires_at >= clock_timestamp()
  RETURNING locks.token, true AS is_yes`

/** Says whether nobody has asked for the key. */
const RELEASE = `${OURS}
  DELETE FROM locks USING ours AS asked
  WHERE ${keyed('locks.key', 'asked.key')} AND locks.token = asked.token
  RETURNING locks.token, NOT is_wanted AS is_yes`

/** The most keys of one trip. */
const MOST_KEYS = 200
/** Class 22 is bad data; a deadlock (40P01) is over when it is told. */
const PERSONAL = /^(22|40P01)/

interface Asked {
  readonly key: string
  readonly token: string
  readonly ttlMs: number
}

type Verb = Coalescer<Asked, boolean>

/** Over the table `locks (key text primary key, token uuid, expires_at timestamptz, is_wanted boolean)`. */
export class LeaseLock implements Lock {
  readonly #acquire: Verb
  readonly #extend: Verb
  readonly #release: Verb

  /** @param runner must not be inside a transaction: a lease is seen by others at once */
  constructor(runner: LeaseRunner) {
    this.#acquire = verbOf(runner, ACQUIRE, firstOfEach)
    this.#extend = verbOf(runner, EXTEND)
    this.#release = verbOf(runner, RELEASE)
  }

  async acquire(key: string, ttlMs: number): Promise<Hold | null> {
    const asked = { key, token: newToken(), ttlMs }
    if (!(await this.#acquire.ask(asked))) return null
    return {
      extend: (ttlMs) => this.#extend.ask({ ...asked, ttlMs }),
      release: async () => !(await this.#release.ask(asked)),
    }
  }

  async close(): Promise<void> {}
}

/** Of those who ask for one key at once the first asks; whatever it is told, the others have not got it. */
const firstOfEach = (many: readonly Asked[]): readonly Asked[] => [
  ...new Map([...many].reverse().map((asked) => [asked.key, asked])).values(),
]

/** Says a statement for many keys at once. */
function verbOf(
  runner: LeaseRunner,
  statement: string,
  choose = (many: readonly Asked[]): readonly Asked[] => many,
): Verb {
  return new Coalescer<Asked, boolean>({
    trip: async (many) => {
      const chosen = choose(many)
      const { rows } = await runner.query(statement, [
        chosen.map(({ key }) => key),
        chosen.map(({ token }) => token),
        chosen.map(({ ttlMs }) => ttlMs),
      ])
      const told = rows as { token: string; is_yes: boolean }[]
      const yes = new Set(told.filter(({ is_yes: isYes }) => isYes).map(({ token }) => token))
      return many.map(({ token }) => yes.has(token))
    },
    most: MOST_KEYS,
    trips: 1,
    isPersonal: (error) => PERSONAL.test(String((error as { code?: unknown } | null)?.code)),
  })
}
