// The state of instances for systems that keep none: a row each, in a table beside the system's own.
import pg from 'pg'

/** Makes the table and fills it. */
export async function makeInstances(databaseUrl: string, count: number): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query('CREATE TABLE instances (id integer PRIMARY KEY, step integer NOT NULL)')
  await client.query('INSERT INTO instances SELECT i, 0 FROM generate_series(0, $1 - 1) i', [count])
  await client.end()
}
