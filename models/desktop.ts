// A desktop: what one effect or action works on, the resource it sees and what it will leave in the commit.
// Promise: made of as little as is asked for; a step that does not look at its resource costs none.
import type { FieldChange } from '../lib/unit.ts'
import type { OutboxParts } from './asking.ts'
import { Draft } from './draft.ts'
import { hold } from './dress.ts'
import type { Backing, Resource } from './handle.ts'
import type { Kind } from './kind.ts'
import { Outbox } from './outbox.ts'
import type { TickParts } from './parts.ts'
import type { View } from './sheet.ts'

/** The resource that is ticked, and what its parts are made of. */
export interface Stock extends Pick<Backing, 'state' | 'parentId' | 'availability'> {
  readonly parts: TickParts
  readonly kind: Kind
  readonly resourceId: string
  /** The fields as they are now, for changes of one's own. */
  view(): View
}

export class Desktop {
  readonly #stock: Stock
  #view: View | null = null
  #outbox: Outbox | null = null
  #resource: Resource | null = null

  constructor(stock: Stock) {
    this.#stock = stock
  }

  get resource(): Resource {
    this.#resource ??= this.#made()
    return this.#resource
  }

  get outbox(): Outbox {
    const { requests, desk } = this.#stock.parts
    this.#outbox ??= new Outbox(requests, desk)
    return this.#outbox
  }

  /** Was anything asked of others? */
  get isWrittenOn(): boolean {
    return this.#outbox !== null
  }

  /** The fields as this desktop has them; null when nobody looked. */
  get view(): View | null {
    return this.#view
  }

  /** What was asked of others; null when nothing was. */
  get parts(): OutboxParts | null {
    return this.#outbox?.parts ?? null
  }

  /** What the code had to say, for the line of the step. */
  get message(): string | null {
    return this.#outbox?.message ?? null
  }

  /** What is to be written to the fields; null when nothing was changed. */
  get change(): FieldChange | null {
    return this.#view?.change() ?? null
  }

  /** Did another change one of these fields meanwhile? Then the work must be done anew. */
  get isOvertaken(): boolean {
    return this.#view?.overtaken ?? false
  }

  /** A verb that was refused, and that nobody awaited, fails the step. @throws the first of them */
  async check(): Promise<void> {
    await this.#outbox?.check()
  }

  #made(): Resource {
    const { resourceId: id, kind, state, parentId, availability, parts } = this.#stock
    const view = this.#stock.view()
    const { outbox } = this
    this.#view = view
    return hold({
      ...{ id, kind, state, parentId, availability },
      verbs: outbox,
      read: (name) => view.read(name),
      write: (name, value) => view.write(name, value),
      save: null,
      reload: null,
      createChild: async (shape, fields, because) => {
        const made = outbox.create(parts.registry.of(shape), fields, id, because)
        return hold(new Draft(made, parts.registry.of(shape), parts.sealer, outbox))
      },
      children: (shape) => parts.children(shape, id, outbox),
      offspring: () => parts.offspring(id, outbox),
    })
  }
}
