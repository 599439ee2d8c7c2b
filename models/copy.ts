// A copy of a resource, held outside any tick.
// Promise: saving compares with the version that was read; somebody else's change is never overwritten unseen.
import type { Sealer } from '../lib/codec.ts'
import { fault } from '../lib/errors.ts'
import type { Desk } from './desk.ts'
import type { Backing, Held, Many, ResourceClass } from './handle.ts'
import type { Kind } from './kind.ts'
import type { Registry } from './registry.ts'
import type { ResourceShape } from './shape.ts'
import { Sheet, type View } from './sheet.ts'
import type { Because, Verbs } from './verbs.ts'

/** Where rows come from. */
export interface Lender {
  get(kind: Kind, id: string): Promise<Held<ResourceClass>>
  children<C extends ResourceClass>(shape: C, parentId: string, verbs: Verbs): Many<C>
  offspring(parentId: string, verbs: Verbs): Promise<Held<ResourceClass>[]>
  /** @throws RESOURCE_UNKNOWN */
  row(id: string, kinds: readonly Kind[]): Promise<any>
}

export interface CopyParts {
  readonly row: any
  readonly kind: Kind
  readonly desk: Desk
  readonly sealer: Sealer
  readonly registry: Registry
  readonly library: Lender
  /** Who carries out the verbs: the desk, or the outbox of a step. */
  readonly verbs: Verbs
}

export class Copy implements Backing {
  readonly id: string
  readonly kind: Kind
  readonly parentId: string | null
  readonly #parts: CopyParts
  readonly #sheet: Sheet
  #view: View
  #state: string
  #availability: unknown

  constructor(parts: CopyParts) {
    const { row, kind, sealer } = parts
    this.#parts = parts
    this.id = row.id
    this.kind = kind
    this.parentId = row.parent_id
    this.#state = row.state
    this.#availability = row.availability
    this.#sheet = new Sheet(row.id, kind.fields, sealer, storedIn(row), row.version)
    this.#view = this.#sheet.view()
  }

  get state(): string {
    return this.#state
  }

  get availability(): unknown {
    return this.#availability
  }

  get verbs(): Verbs {
    return this.#parts.verbs
  }

  read(name: string): unknown {
    return this.#view.read(name)
  }

  /** @throws ARGUMENT_INVALID inside a step, which writes the fields of its own resource only */
  write(name: string, value: unknown): void {
    if (this.#parts.verbs !== this.#parts.desk) {
      const reason = 'a step sets the fields of its own resource; send the other an event'
      throw fault('ARGUMENT_INVALID', {
        what: `Setting "${name}" of ${this.kind.name}/${this.id}`,
        reason,
      })
    }
    this.#view.write(name, value)
  }

  /** @throws DESYNCHRONIZED when the resource was changed since it was read */
  save = async (because: Because): Promise<void> => {
    const fields = this.#view.change()
    if (!fields) return
    const { id: resourceId, kind, parentId, state } = this
    const read = (name: string) => this.#view.read(name)
    const renamed = this.#parts.row.kind === kind.name ? {} : { kind: kind.name }
    const seen = { resourceId, kind, parentId, state, read }
    await this.#parts.desk.save({ ...fields, ...renamed }, seen, because)
    this.#sheet.committed(fields)
    this.#view = this.#sheet.view()
  }

  reload = async (): Promise<void> => {
    const row = await this.#parts.library.row(this.id, [this.kind])
    this.#state = row.state
    this.#availability = row.availability
    this.#sheet.replace(storedIn(row), row.version)
    this.#view = this.#sheet.view()
  }

  async createChild(
    shape: ResourceShape,
    fields: Readonly<Record<string, unknown>>,
    because: Because,
  ): Promise<Held<ResourceClass>> {
    const { desk, registry, library } = this.#parts
    const kind = registry.of(shape)
    return library.get(kind, (await desk.create(kind, fields, this.id, because)).id)
  }

  offspring(): Promise<Held<ResourceClass>[]> {
    return this.#parts.library.offspring(this.id, this.#parts.verbs)
  }

  children(shape: ResourceClass): Many<any> {
    return this.#parts.library.children(shape, this.id, this.#parts.verbs)
  }
}

/** Fields with what was kept aside beneath them: code that knows a name again finds its value again. */
function storedIn({ fields, lost_and_found: lost }: any): Record<string, unknown> {
  return { ...lost, ...fields }
}
