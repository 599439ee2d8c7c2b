// Rows copied inside the database: what a system wrote once for one task, a hundred thousand times.
// Promise: every column is copied as it is there, whatever its table will look like by then, but for those that make
// one row differ from another; afterwards all is as it is once the housekeeping of PostgreSQL has been by.
import pg from 'pg'

/** What differs in a copy: a column, and the SQL of its value; `n` counts the copies, from 1. */
export type Differing = Readonly<Record<string, string>>

const BATCH = 50_000

export class Copies {
  readonly #client: pg.Client

  private constructor(client: pg.Client) {
    this.#client = client
  }

  /** Opens a session, does the work, and lets the housekeeping be done. */
  static async during(databaseUrl: string, work: (copies: Copies) => Promise<void>): Promise<void> {
    const client = new pg.Client({ connectionString: databaseUrl })
    await client.connect()
    try {
      await work(new Copies(client))
      await client.query('VACUUM (ANALYZE)')
      await client.query('CHECKPOINT')
    } finally {
      await client.end()
    }
  }

  /** Copies the rows that match, so many times; none when none match. @param table with its schema */
  async copy(table: string, matches: string, differing: Differing, count: number): Promise<void> {
    const { rows } = await this.#client.query(
      `SELECT attname AS name, pg_get_expr(adbin, adrelid) LIKE 'nextval%' AS is_counted
       FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
       WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity = ''`,
      [table],
    )
    const names: string[] = rows
      .filter(({ name, is_counted }) => !is_counted || name in differing)
      .map(({ name }) => name)
    const values = names.map((name) => differing[name] ?? `old."${name}"`)
    const columns = names.map((name) => `"${name}"`).join(', ')
    for (let from = 1; from <= count; from += BATCH) {
      const to = Math.min(count, from + BATCH - 1)
      await this.#client.query(
        `INSERT INTO ${table} (${columns}) SELECT ${values.join(', ')}
         FROM (SELECT * FROM ${table} WHERE ${matches}) old, generate_series(${from}, ${to}) n`,
      )
    }
  }

  async run(sql: string): Promise<void> {
    await this.#client.query(sql)
  }
}

/**
 * SQL of an identity for copy n: as ours are, milliseconds first, so that they stand in their order.
 * @param letter one of 0 to f, another for each kind of thing
 */
export const identity = (sinceMs: number, letter: string): string =>
  `(lpad(to_hex(${Math.floor(sinceMs)} + n), 12, '0') || '7${letter}008' || lpad(to_hex(n), 15, '0'))::uuid`

/** SQL of a moment for copy n. @param stepMs how far apart two copies are, in milliseconds */
export const moment = (fromMs: number, stepMs: number): string =>
  `to_timestamp((${fromMs} + n * ${stepMs}::double precision) / 1000.0)`
