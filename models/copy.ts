// A copy of a resource, held outside any tick.
// Promise: saving compares with the version that was read; somebody else's change is never overwritten unseen.
import type { Sealer } from '../lib/codec.ts'
import type { Desk } from './desk.ts'
import type { Backing } from './handle.ts'
import type { Kind, ResourceShape } from './kind.ts'
import type { Registry } from './registry.ts'
import { Sheet, type View } from './sheet.ts'
import type { Because, Verbs } from './verbs.ts'

export interface CopyParts {
  readonly row: any
  readonly kind: Kind
  readonly desk: Desk
  readonly sealer: Sealer
  readonly registry: Registry
  /** Reads the row again. @throws RESOURCE_UNKNOWN */
  read(id: string, kind: Kind): Promise<any>
}

export class Copy implements Backing {
  readonly id: string
  readonly kind: Kind
  readonly parentId: string | null
  readonly #parts: CopyParts
  readonly #sheet: Sheet
  #view: View
  #state: string

  constructor(parts: CopyParts) {
    const { row, kind, sealer } = parts
    this.#parts = parts
    this.id = row.id
    this.kind = kind
    this.parentId = row.parent_id
    this.#state = row.state
    this.#sheet = new Sheet(row.id, kind.fields, sealer, storedIn(row), row.version)
    this.#view = this.#sheet.view()
  }

  get state(): string {
    return this.#state
  }

  get verbs(): Verbs {
    return this.#parts.desk
  }

  read(name: string): unknown {
    return this.#view.read(name)
  }

  write(name: string, value: unknown): void {
    this.#view.write(name, value)
  }

  /** @throws DESYNCHRONIZED when the resource was changed since it was read */
  save = async (_because: Because): Promise<void> => {
    const fields = this.#view.change()
    if (!fields) return
    await this.#parts.desk.commit({ fields }, null)
    this.#sheet.committed(fields)
    this.#view = this.#sheet.view()
  }

  reload = async (): Promise<void> => {
    const row = await this.#parts.read(this.id, this.kind)
    this.#state = row.state
    this.#sheet.replace(storedIn(row), row.version)
    this.#view = this.#sheet.view()
  }

  create(
    shape: ResourceShape,
    fields: Readonly<Record<string, unknown>>,
    { parent }: { parent?: boolean },
  ): Promise<string> {
    return this.#parts.desk.create(this.#parts.registry.of(shape), fields, parent ? this.id : null)
  }
}

/** Fields with what was kept aside beneath them: code that knows a name again finds its value again. */
function storedIn({ fields, lost_and_found: lost }: any): Record<string, unknown> {
  return { ...lost, ...fields }
}
