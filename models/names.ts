// Old names, so that rows stored under them are understood.
// Promise: an old name leads to one living name, and is no living name itself.

/** Says why a name cannot be an old one. */
export type Refusal = (name: string, why: string) => Error

export class Names {
  readonly #living = new Map<string, string>()
  readonly #old = new Map<string, readonly string[]>()

  /**
   * @param living the names of today, each with those it had before
   * @throws whatever `refuse` answers, for a name that is claimed twice
   */
  constructor(living: Iterable<readonly [string, readonly string[]]>, refuse: Refusal) {
    const all = [...living]
    const today = new Set(all.map(([name]) => name))
    for (const [name, was] of all) {
      if (was.length > 0) this.#old.set(name, was)
      for (const old of was) {
        if (today.has(old)) throw refuse(old, 'a name that is in use, so it cannot be an old one')
        if (this.#living.has(old)) throw refuse(old, 'already the old name of another')
        this.#living.set(old, name)
      }
    }
  }

  /** The name of today. */
  today(name: string): string {
    return this.#living.get(name) ?? name
  }

  /** The name and all it had before. */
  all(name: string): string[] {
    return [name, ...(this.#old.get(name) ?? [])]
  }
}
