// Stock `pg` clients on the embedded database, closed with the test that made them.
import pg from 'pg'
import type { Embedded } from '../../lib/embedded.ts'

/** Makes clients and remembers what is to be closed. */
export class Clients {
  readonly #closings: (() => Promise<unknown>)[] = []

  /** Has something closed at the end of the test, the last first. */
  closing(close: () => Promise<unknown>): void {
    this.#closings.push(close)
  }

  async close(): Promise<void> {
    for (const close of this.#closings.splice(0).reverse()) await close()
  }

  pool(embedded: Embedded, options: pg.PoolConfig = {}): pg.Pool {
    const pool = new pg.Pool({ ...wire(embedded), ...options })
    pool.on('error', () => {})
    this.closing(() => pool.end())
    return pool
  }

  /** A connected client whose end may come unasked. */
  async client(embedded: Embedded, options: pg.ClientConfig = {}): Promise<pg.Client> {
    const client = new pg.Client({ ...wire(embedded), ...options })
    client.on('error', () => {})
    await client.connect()
    this.closing(() => client.end())
    return client
  }
}

/** What `pg` and Knex need to find the embedded database. */
export const wire = (embedded: Embedded) => ({
  stream: () => embedded.stream() as never,
  user: 'postgres',
  database: 'postgres',
  ssl: false,
})

/** The error something fails with; fails itself when it does not. */
export const errorOf = (work: Promise<unknown>): Promise<pg.DatabaseError> =>
  work.then(
    () => Promise.reject(new Error('it did not fail')),
    (error) => error,
  )

/** The SQLSTATE something fails with. */
export const codeOf = async (work: Promise<unknown>) => (await errorOf(work)).code
