// The library: rows of resources, lent out as held copies.
// Promise: a copy is of the kind that was asked for, or of one that extends it, or there is none.
import type { Sealer } from '../lib/codec.ts'
import type { Knex } from '../lib/database.ts'
import { fault } from '../lib/errors.ts'
import type { NewResource } from '../lib/unit.ts'
import { collect } from './collection.ts'
import { Copy, type Lender } from './copy.ts'
import type { Desk } from './desk.ts'
import { hold } from './dress.ts'
import type { Held, ResourceClass } from './handle.ts'
import type { Kind } from './kind.ts'
import { DELETING } from './life.ts'
import type { Registry } from './registry.ts'
import type { Verbs } from './verbs.ts'

export interface LibraryParts {
  readonly knex: Knex
  readonly registry: Registry
  readonly sealer: Sealer
  readonly desk: Desk
}

/** Of a resource with more children, more are asked for later. */
const MOST = 200
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export class Library implements Lender {
  readonly #parts: LibraryParts

  constructor(parts: LibraryParts) {
    this.#parts = parts
  }

  /** A resource of a kind, or of one that extends it. @throws RESOURCE_UNKNOWN */
  async get(kind: Kind, id: string): Promise<Held<ResourceClass>> {
    return this.lend(await this.row(id, this.#parts.registry.family(kind.shape)))
  }

  /** A question about resources of a class and its subclasses. */
  find<C extends ResourceClass>(
    shape: C,
    verbs: Verbs = this.#parts.desk,
  ): ReturnType<typeof collect<C>> {
    const kinds = this.#parts.registry.family(shape)
    const kind = this.#parts.registry.of(shape)
    return collect<C>({
      knex: this.#parts.knex,
      kinds,
      load: (row) => this.lend(row, verbs),
      encode: (name, value) => this.#encodeWanted(kind, name, value),
    })
  }

  children<C extends ResourceClass>(
    shape: C,
    parentId: string,
    verbs: Verbs,
  ): ReturnType<typeof collect<C>> {
    return this.find(shape, verbs).where({ parentId } as never)
  }

  /** Some of the resources that belong to one, whatever they are. @throws RESOURCE_KIND_UNKNOWN */
  async offspring(parentId: string, verbs: Verbs): Promise<Held<ResourceClass>[]> {
    const rows = await this.#parts
      .knex('resources')
      .where({ parent_id: parentId })
      .whereNot({ state: DELETING })
      .orderBy('id')
      .limit(MOST)
    return rows.map((row) => this.lend(row, verbs))
  }

  /** A resource that is not, or not yet, to be read; and who carries out its verbs. */
  lendNew(made: NewResource, desk: Desk = this.#parts.desk): Held<ResourceClass> {
    const { id, kind, parentId: parent_id, fields } = made
    const row = { id, kind, parent_id, fields, state: '__new__', availability: null, version: 0 }
    return this.lend(row, desk, desk)
  }

  /** A row, held. */
  lend(
    row: any,
    verbs: Verbs = this.#parts.desk,
    desk: Desk = this.#parts.desk,
  ): Held<ResourceClass> {
    const { sealer, registry } = this.#parts
    return hold(
      new Copy({
        row,
        kind: registry.find(row.kind),
        desk,
        verbs,
        sealer,
        registry,
        library: this,
      }),
    )
  }

  /** @throws RESOURCE_UNKNOWN, naming the first of the kinds */
  async row(id: string, kinds: readonly Kind[]): Promise<any> {
    const names = kinds.flatMap(({ names }) => names)
    const row = UUID.test(id)
      ? await this.#parts.knex('resources').where({ id }).whereIn('kind', names).first()
      : undefined
    if (!row) throw fault('RESOURCE_UNKNOWN', { kind: names[0], id })
    return row
  }

  #encodeWanted({ name: kind, fields }: Kind, name: string, value: unknown): unknown {
    if (fields.isSecret(name)) {
      const reason = `the field "${name}" is secret, so it cannot be compared`
      throw fault('ARGUMENT_INVALID', { what: `The question about ${kind}`, reason })
    }
    return fields.encode(name, value, this.#parts.sealer)
  }
}
