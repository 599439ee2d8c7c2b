// A store that is watched: is anything asked of it at this moment?
// Promise: changes nothing; says "quiet" once nothing is under way and nothing more is asked for a while.
import type { Store } from '../../lib/store.ts'
import { turn } from '../../lib/time.ts'
import type { TickParts } from '../../models/parts.ts'

type Asked = TickParts['store']

/** Turns of the event loop after which whoever still has something to ask would have asked it. */
const TURNS = 2

export class Watched implements Asked {
  readonly #store: Asked
  #underWay = 0
  #asked = 0
  #onQuiet: () => void = () => {}

  constructor(store: Store) {
    this.#store = store
  }

  claim: Asked['claim'] = (...asked) => this.#watch(() => this.#store.claim(...asked))
  look: Asked['look'] = (...asked) => this.#watch(() => this.#store.look(...asked))
  commit: Asked['commit'] = (...asked) => this.#watch(() => this.#store.commit(...asked))
  dueNow: Asked['dueNow'] = (...asked) => this.#watch(() => this.#store.dueNow(...asked))
  finished: Asked['finished'] = (...asked) => this.#watch(() => this.#store.finished(...asked))

  /** Resolves when nothing is asked any more. */
  quiet(): Promise<void> {
    return new Promise((resolve) => {
      this.#onQuiet = resolve
    })
  }

  /** Nobody waits for quiet any more. */
  forget(): void {
    this.#onQuiet()
    this.#onQuiet = () => {}
  }

  async #watch<T>(ask: () => Promise<T>): Promise<T> {
    this.#underWay += 1
    this.#asked += 1
    try {
      return await ask()
    } finally {
      this.#underWay -= 1
      if (this.#underWay === 0) void this.#listen(this.#asked)
    }
  }

  async #listen(asked: number): Promise<void> {
    for (let count = 0; count < TURNS; count++) await turn()
    if (asked === this.#asked && this.#underWay === 0) this.#onQuiet()
  }
}
