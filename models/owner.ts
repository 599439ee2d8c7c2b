// An owner: a row of a user's own table that owns tasks.
// Promise: one row has one anchor, whoever asks first and however often; the row itself is read and never written.
import * as z from 'zod'
import { fault } from '../lib/errors.ts'
import { field } from './fields.ts'
import { BACKING, Resource } from './handle.ts'

/** Where the rows are: the name of a table, with its schema unless that is the app's own, and of the column that names a row. */
export interface OwnerTable {
  readonly name: string
  readonly key: string
}

/**
 * The base of classes whose objects are rows of a table of yours. `app.of(Order, 42)` is the owner of that row's tasks;
 * its anchor, a resource, is made when the first of them starts.
 */
export class Owner extends Resource {
  /** The user's table. */
  static table: OwnerTable
  static override fields = { key: field(z.string().min(1).max(1_000)) }

  /** The row as it is now, committed. @throws ROW_UNKNOWN when there is none */
  async row<Row extends object = Record<string, any>>(): Promise<Row> {
    const { verbs, kind } = this[BACKING]
    const table = tableOf(kind.name, kind.shape)
    const key = (this as unknown as { key: string }).key
    const row = await verbs.row(table, key)
    if (row === undefined) throw fault('ROW_UNKNOWN', { table: table.name, column: table.key, key })
    return row as Row
  }
}

/** @throws ARGUMENT_INVALID for a class that names no table */
export function tableOf(kind: string, shape: object): OwnerTable {
  const { table } = shape as Partial<typeof Owner>
  if (table?.name && table.key) return table
  const reason = `it has no table; give it static table = { name: 'orders', key: 'id' }`
  throw fault('ARGUMENT_INVALID', { what: `The class ${kind}`, reason })
}
