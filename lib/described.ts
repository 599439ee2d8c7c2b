// Described statements: what a connection has prepared it describes once, and not with every answer.
// Promise: the rows are those the driver would have made. Reaches into the driver's own query, whose version is pinned
// for that: an answer is read by the description that came with the first one of its connection.
import { type Connection, DriverQuery } from './pool.ts'
import { asked } from './prepared.ts'

/** What the driver knows of an answer's columns. */
interface Layout {
  fields: unknown
  _parsers: unknown
  _prebuiltEmptyResultObject: unknown
}

/** What a query of the driver has that its types do not show. */
interface Inside {
  name: string
  values: readonly unknown[]
  callback: (error: Error | null, result: { rows: any[] }) => void
  _result: Layout & { rows: unknown[]; parseRow(fields: unknown): unknown }
  _canceledDueToError: unknown
}

/** By connection of the driver: what is known of it. */
const known = new WeakMap<object, Known>()

interface Known {
  readonly layouts: Map<string, Layout>
  /** The same connection, which asks for no description. */
  readonly mute: object
}

const Base = DriverQuery as unknown as new (
  text: string,
) => Inside & { prepare(connection: object): void; handleRowDescription(message: unknown): void }

class Described extends Base {
  #layouts: Map<string, Layout> | null = null

  override prepare(connection: object): void {
    const { layouts, mute } = knownOf(connection)
    this.#layouts = layouts
    const layout = layouts.get(this.name)
    if (layout) Object.assign(this._result, layout)
    super.prepare(layout ? mute : connection)
  }

  override handleRowDescription(message: unknown): void {
    super.handleRowDescription(message)
    const { fields, _parsers, _prebuiltEmptyResultObject } = this._result
    this.#layouts?.set(this.name, { fields, _parsers, _prebuiltEmptyResultObject })
  }

  /** Without telling listeners of each row: there are none. */
  handleDataRow({ fields }: { fields: unknown }): void {
    if (this._canceledDueToError) return
    try {
      this._result.rows.push(this._result.parseRow(fields))
    } catch (error) {
      this._canceledDueToError = error
    }
  }
}

function knownOf(connection: object): Known {
  const before = known.get(connection)
  if (before) return before
  const mute = Object.create(connection, { describe: { value: () => {} } })
  const made = { layouts: new Map(), mute }
  known.set(connection, made)
  return made
}

/**
 * Sends a statement at once.
 * @returns its rows
 * @throws what the server or the driver says
 */
export function ask(
  client: Pick<Connection, 'query'>,
  text: string,
  params: readonly unknown[],
): Promise<{ rows: any[] }> {
  const { name, values } = asked(text, params) as { name?: string; values: unknown[] }
  if (name === undefined) return client.query(text, values)
  return new Promise((resolve, reject) => {
    const query = new Described(text)
    query.name = name
    query.values = values
    query.callback = (error, result) => (error ? reject(error) : resolve(result))
    client.query(query as never)
  })
}
