// A database watched until nothing is left to do in it.
import pg from 'pg'

const WATCH_MS = 20

/** Resolves when a question has no rows any more. */
export async function watched(databaseUrl: string, question: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  for (;;) {
    const { rows } = await client.query(question)
    if (rows.length === 0) break
    await new Promise((resolve) => setTimeout(resolve, WATCH_MS))
  }
  await client.end()
}
