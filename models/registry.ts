// The registry: name to kind. A name taken twice stops the boot.
import { distance } from 'fastest-levenshtein'
import { fault } from '../lib/errors.ts'
import { Kind, type KindOptions } from './kind.ts'
import { Names } from './names.ts'
import type { ResourceShape } from './shape.ts'

export class Registry {
  readonly #kinds = new Map<string, Kind>()
  readonly #byShape = new Map<ResourceShape, Kind>()
  readonly #names: Names
  /** Has any kind alarms that open by a rule? */
  readonly hasRules: boolean
  /** Does any kind handle panics? */
  readonly handlesPanics: boolean

  /** @throws RESOURCE_DUPLICATE, and whatever is wrong with a class */
  constructor(shapes: readonly ResourceShape[], options: KindOptions = {}) {
    for (const shape of shapes) {
      const kind = new Kind(shape, options)
      if (this.#kinds.has(kind.name)) throw fault('RESOURCE_DUPLICATE', { kind: kind.name })
      this.#kinds.set(kind.name, kind)
      this.#byShape.set(shape, kind)
    }
    this.hasRules = this.kinds.some(({ rules }) => rules.length > 0)
    this.handlesPanics = this.kinds.some((kind) => kind.handlesPanics)
    const names = this.kinds.map(({ name, names }) => [name, names.slice(1)] as const)
    this.#names = new Names(names, (name) => fault('RESOURCE_DUPLICATE', { kind: name }))
  }

  get kinds(): Kind[] {
    return [...this.#kinds.values()]
  }

  has(name: string): boolean {
    return this.#kinds.has(this.#names.today(name))
  }

  /** @throws RESOURCE_KIND_UNKNOWN, with the nearest name first */
  find(name: string): Kind {
    const found = this.#kinds.get(this.#names.today(name))
    if (found) return found
    const near = [...this.#kinds.keys()].sort((a, b) => distance(a, name) - distance(b, name))
    throw fault('RESOURCE_KIND_UNKNOWN', { kind: name, known: near.join(', ') || 'none' })
  }

  /** A kind's name of today, and all names rows of it may be stored under; the name alone when no class has it. */
  namesOf(name: string): readonly string[] {
    return this.#kinds.get(this.#names.today(name))?.names ?? [name]
  }

  /** A task's name, and all it had before in any kind that has it. */
  namesOfTask(name: string): readonly string[] {
    const kinds = this.kinds.filter((kind) => kind.has(name))
    return [...new Set([name, ...kinds.flatMap((kind) => kind.namesOf(name))])]
  }

  /** The names of today of a stored kind and task, for whoever shows rows. */
  today(kind: string, task: string): { kind: string; task: string } {
    const found = this.#kinds.get(this.#names.today(kind))
    return { kind: found?.name ?? kind, task: found?.today(task) ?? task }
  }

  /** The kind of a class. */
  of(shape: ResourceShape): Kind {
    return this.#byShape.get(shape) ?? this.find(shape.kind ?? shape.name)
  }

  /** The kind and every kind whose class extends it. */
  family(shape: ResourceShape): Kind[] {
    const { prototype } = shape
    return this.kinds.filter(
      ({ shape: other }) =>
        other === shape || Object.prototype.isPrototypeOf.call(prototype, other.prototype),
    )
  }
}
