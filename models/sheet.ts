// The sheet: the fields of one resource in memory, while it is ticked or held.
// Promise: every effect reads and writes through a view of its own; a view's changes reach the sheet only
// when they are committed, and a view that overtook another's change to the same field is told so.
import type { Json, Sealer } from '../lib/codec.ts'
import type { FieldChange } from '../lib/unit.ts'
import type { FieldSet } from './fields.ts'

export class Sheet {
  readonly resourceId: string
  readonly fields: FieldSet
  readonly sealer: Sealer
  #known: Record<string, unknown> = {}
  #aside: Record<string, unknown> = {}
  #renamed: readonly string[] = []
  #version = 0
  /** Counts committed changes; remembers when each field last changed, to see overtaking. */
  #changes = 0
  readonly #changedAt = new Map<string, number>()

  constructor(
    resourceId: string,
    fields: FieldSet,
    sealer: Sealer,
    stored: Readonly<Record<string, unknown>>,
    version: number,
  ) {
    this.resourceId = resourceId
    this.fields = fields
    this.sealer = sealer
    this.replace(stored, version)
  }

  get version(): number {
    return this.#version
  }

  /** Takes the columns as the database has them now; an answer that was overtaken on its way is old news. */
  replace(stored: Readonly<Record<string, unknown>>, version: number): void {
    if (version < this.#version) return
    const { known, aside, renamed } = this.fields.sort(stored)
    for (const name of new Set([...Object.keys(known), ...Object.keys(this.#known)])) {
      if (JSON.stringify(known[name]) !== JSON.stringify(this.#known[name]))
        this.#changedAt.set(name, ++this.#changes)
    }
    this.#known = known
    this.#aside = aside
    this.#renamed = renamed
    this.#version = version
  }

  read(name: string): unknown {
    return frozen(this.fields.decode(name, this.#known[name], this.sealer))
  }

  view(): View {
    return new View(this, this.#changes)
  }

  /** Has this field changed since the view was opened? */
  changedSince(name: string, moment: number): boolean {
    return (this.#changedAt.get(name) ?? 0) > moment
  }

  /** The change that writes a patch on top of what the sheet knows; what lies under an old name moves along. */
  change(set: Record<string, Json>, unset: readonly string[]): FieldChange {
    const moved: Record<string, Json> = {}
    for (const old of this.#renamed) {
      const name = this.fields.today(old)
      if (!unset.includes(name)) moved[name] = this.#known[name] as Json
    }
    const { resourceId } = this
    const gone = [...unset, ...this.#renamed]
    return {
      resourceId,
      set: { ...moved, ...set },
      unset: gone,
      aside: this.#aside,
      version: this.#version,
    }
  }

  /** A change was committed: the sheet shows it from now on. */
  committed({ set, unset }: FieldChange): void {
    this.#version += 1
    this.#aside = {}
    this.#renamed = []
    for (const [name, json] of Object.entries(set)) this.#note(name, json)
    for (const name of unset) this.#note(name, undefined)
  }

  #note(name: string, json: unknown): void {
    this.#changedAt.set(name, ++this.#changes)
    if (json === undefined) delete this.#known[name]
    else this.#known[name] = json
  }
}

/** What one effect, or one holder, sees: the sheet with its own uncommitted changes on top. */
export class View {
  readonly #sheet: Sheet
  readonly #openedAt: number
  readonly #patch = new Map<string, unknown>()

  constructor(sheet: Sheet, openedAt: number) {
    this.#sheet = sheet
    this.#openedAt = openedAt
  }

  get fields(): FieldSet {
    return this.#sheet.fields
  }

  read(name: string): unknown {
    return this.#patch.has(name) ? this.#patch.get(name) : this.#sheet.read(name)
  }

  write(name: string, value: unknown): void {
    this.#patch.set(name, this.#sheet.fields.accept(name, value))
  }

  /** Did another change one of these fields after this view was opened? Then the work must be done anew. */
  get overtaken(): boolean {
    return [...this.#patch.keys()].some((name) => this.#sheet.changedSince(name, this.#openedAt))
  }

  /** What is to be written; null when nothing was changed. */
  change(): FieldChange | null {
    if (this.#patch.size === 0) return null
    const { fields, sealer } = this.#sheet
    const set: Record<string, Json> = {}
    const unset: string[] = []
    for (const [name, value] of this.#patch) {
      if (value === undefined) unset.push(name)
      else set[name] = fields.encode(name, value, sealer)
    }
    return this.#sheet.change(set, unset)
  }
}

/** What was read is shared: changing it in place would be neither stored nor noticed, so it throws. */
function frozen(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) {
    for (const part of Object.values(value)) frozen(part)
    return Object.freeze(value)
  }
  return value
}
