// Where the store keeps its tables in an exam: a schema of its own, and databases on it as other processes have them.
// Promise: the schema is gone, and every database closed, when the cellar is.
import { Database } from '../../lib/database.ts'
import { migrations } from '../../models/migrations/index.ts'
import { bareDatabase, freshSchema } from '../support/house.ts'
import type { Setting } from '../support/services.ts'
import type { Place } from './store.ts'

export interface Cellar extends Place {
  readonly schema: string
  /** A database on these tables that is reached by another way; closed with the cellar. */
  behind(url: string): Database
}

/** Digs a cellar with the whole schema in it. */
export async function cellar(setting: Setting): Promise<Cellar> {
  const schema = freshSchema()
  const opened: (() => Promise<void>)[] = []
  const open = async () => {
    const { database, dismiss } = await bareDatabase(setting, schema, { migrations, poolSize: 6 })
    opened.push(dismiss)
    return database
  }
  const home = await open()
  await home.migrate()
  return {
    schema,
    open,
    behind: (url) => {
      const database = new Database({ at: { url }, schema, poolSize: 2, migrations })
      opened.push(() => database.close())
      return database
    },
    close: async () => {
      await home.query(`DROP SCHEMA "${schema}" CASCADE`)
      for (const dismiss of opened.reverse()) await dismiss()
    },
  }
}
