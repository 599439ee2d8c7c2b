// What a simulation is made of: an agenda, gates, a log, numbers drawn from a seed.
// Promise: what falls on the same moment happens in the order in which it was written down.

export type Then = () => void

interface Entry {
  readonly at: number
  readonly turn: number
  readonly act: Then
}

const isBefore = (one: Entry, other: Entry) =>
  one.at < other.at || (one.at === other.at && one.turn < other.turn)

/** What happens when, as a heap. Times are milliseconds. */
export class Agenda {
  now = 0
  readonly #heap: Entry[] = []
  #turns = 0

  /** Writes down what happens `ms` from now. */
  after(ms: number, then: Then): void {
    const heap = this.#heap
    const entry = { at: this.now + ms, turn: this.#turns++, act: then }
    let index = heap.length
    while (index > 0) {
      const above = (index - 1) >> 1
      if (!isBefore(entry, heap[above]!)) break
      heap[index] = heap[above]!
      index = above
    }
    heap[index] = entry
  }

  /** Lets everything happen. */
  run(): void {
    for (let next = this.#take(); next; next = this.#take()) {
      this.now = next.at
      next.act()
    }
  }

  #take(): Entry | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (!first || !last || heap.length === 0) return first
    let index = 0
    for (;;) {
      let below = 2 * index + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below += 1
      if (!isBefore(heap[below]!, last)) break
      heap[index] = heap[below]!
      index = below
    }
    heap[index] = last
    return first
  }
}

/** So many at once, the others in the order they came. */
export class Gate {
  #free: number
  readonly #waiting: ((free: Then) => void)[] = []

  constructor(places: number) {
    this.#free = places
  }

  /** @param enter is called when there is a place, with what gives it back */
  enter(enter: (free: Then) => void): void {
    this.#waiting.push(enter)
    this.#next()
  }

  #next(): void {
    if (this.#free === 0) return
    const enter = this.#waiting.shift()
    if (!enter) return
    this.#free -= 1
    enter(() => {
      this.#free += 1
      this.#next()
    })
  }
}

/** The log of PostgreSQL: one flush at a time; what is written meanwhile is in the next. */
export class Log {
  flushes = 0
  readonly #agenda: Agenda
  readonly #flushMs: () => number
  #waiting: Then[] = []
  #isBusy = false

  constructor(agenda: Agenda, flushMs: () => number) {
    this.#agenda = agenda
    this.#flushMs = flushMs
  }

  flush(then: Then): void {
    this.#waiting.push(then)
    if (!this.#isBusy) this.#begin()
  }

  #begin(): void {
    const written = this.#waiting.splice(0)
    this.#isBusy = written.length > 0
    if (!this.#isBusy) return
    this.flushes += 1
    this.#agenda.after(this.#flushMs(), () => {
      for (const then of written) then()
      this.#begin()
    })
  }
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function drawer(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
