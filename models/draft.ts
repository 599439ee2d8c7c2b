// A draft: a resource made inside a step, whose row appears with the step's commit.
// Promise: it answers like any held resource; its tasks can be started at once, in the same commit.
import type { Sealer } from '../lib/codec.ts'
import { fault } from '../lib/errors.ts'
import type { NewResource } from '../lib/unit.ts'
import type { Backing } from './handle.ts'
import type { Kind } from './kind.ts'
import type { Verbs } from './verbs.ts'

export class Draft implements Backing {
  readonly id: string
  readonly kind: Kind
  readonly parentId: string | null
  readonly state = '__new__'
  readonly availability = null
  readonly verbs: Verbs
  readonly save = null
  readonly reload = null
  readonly #made: NewResource
  readonly #sealer: Sealer

  constructor(made: NewResource, kind: Kind, sealer: Sealer, verbs: Verbs) {
    this.id = made.id
    this.kind = kind
    this.parentId = made.parentId
    this.verbs = verbs
    this.#made = made
    this.#sealer = sealer
  }

  read(name: string): unknown {
    return this.kind.fields.decode(name, this.#made.fields[name], this.#sealer)
  }

  write(name: string): never {
    throw this.#notYet(`setting "${name}"`)
  }

  createChild(): never {
    throw this.#notYet('giving it children')
  }

  children(): never {
    throw this.#notYet('asking for its children')
  }

  offspring(): never {
    throw this.#notYet('asking for its children')
  }

  #notYet(what: string): Error {
    const reason = 'it exists once the step is committed; give all fields when you create it'
    return fault('ARGUMENT_INVALID', {
      what: `${what} of a ${this.kind.name} made in this step`,
      reason,
    })
  }
}
