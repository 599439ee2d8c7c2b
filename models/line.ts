// A line: works that are done one after another, each after those that were asked for before it.
// Promise: the first in line does not wait; one that fails holds up nobody.

export class Line {
  #last: Promise<unknown> | null = null

  /** @throws what the work throws */
  go<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#last
    const turn = before ? before.then(work, work) : work()
    this.#last = turn
    const over = () => {
      if (this.#last === turn) this.#last = null
    }
    turn.then(over, over)
    return turn
  }
}
