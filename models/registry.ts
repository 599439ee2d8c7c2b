// The registry: name to kind. A name taken twice stops the boot.
import { distance } from 'fastest-levenshtein'
import { fault } from '../lib/errors.ts'
import { Kind, type KindOptions, type ResourceShape } from './kind.ts'

export class Registry {
  readonly #kinds = new Map<string, Kind>()
  readonly #byShape = new Map<ResourceShape, Kind>()

  /** @throws RESOURCE_DUPLICATE, and whatever is wrong with a class */
  constructor(shapes: readonly ResourceShape[], options: KindOptions = {}) {
    for (const shape of shapes) {
      const kind = new Kind(shape, options)
      if (this.#kinds.has(kind.name)) throw fault('RESOURCE_DUPLICATE', { kind: kind.name })
      this.#kinds.set(kind.name, kind)
      this.#byShape.set(shape, kind)
    }
  }

  get kinds(): Kind[] {
    return [...this.#kinds.values()]
  }

  has(name: string): boolean {
    return this.#kinds.has(name)
  }

  /** @throws RESOURCE_KIND_UNKNOWN, with the nearest name first */
  find(name: string): Kind {
    const found = this.#kinds.get(name)
    if (found) return found
    const near = [...this.#kinds.keys()].sort((a, b) => distance(a, name) - distance(b, name))
    throw fault('RESOURCE_KIND_UNKNOWN', { kind: name, known: near.join(', ') || 'none' })
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
