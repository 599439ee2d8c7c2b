// The tray: what one process has taken and not finished; some of it in hand, the rest waiting its turn.
// Promise: never more in hand than there are hands, in the order it came; what waits too long, or when
// the process stops, is given back for others to take, before the parcel it came in is said to be done.
import type { Time } from './time.ts'

/** What waits longer than this for a free hand is given back: somebody else may have one. */
export const GIVEN_BACK_MS = 500

export interface TrayOptions<Item> {
  /** How many are worked on at once. */
  readonly hands: number
  readonly time: Time
  /** Must not reject. */
  readonly work: (item: Item) => Promise<void>
  /** Must not reject. */
  readonly giveBack: (items: readonly Item[]) => Promise<void>
  /** Called whenever there is room for more. */
  readonly onRoom: () => void
}

/** What was taken together. */
interface Parcel {
  left: number
  readonly takenAt: number
  readonly done: () => void
}

interface Waiting<Item> {
  readonly item: Item
  readonly parcel: Parcel
}

export class Tray<Item> {
  readonly #options: TrayOptions<Item>
  #waiting: Waiting<Item>[] = []
  #inHand = 0
  #isStopped = false
  #disarm: (() => void) | null = null

  constructor(options: TrayOptions<Item>) {
    this.#options = options
  }

  get inHand(): number {
    return this.#inHand
  }

  /** How much more it takes to fill the hands. Whoever takes nothing when there is none leaves others their share. */
  get room(): number {
    return this.#options.hands - this.#inHand - this.#waiting.length
  }

  /** Resolves when each has been worked on or given back. Never rejects. */
  put(items: readonly Item[]): Promise<void> {
    if (items.length === 0) return Promise.resolve()
    return new Promise((done) => {
      const takenAt = this.#options.time.monotonic()
      const parcel = { left: items.length, takenAt, done }
      const all = items.map((item) => ({ item, parcel }))
      // One parcel at a time waits: a second one is more than our share.
      if (this.#isStopped || this.#waiting.length > 0) return this.#giveBack(all)
      this.#waiting = all
      this.#begin()
    })
  }

  /** Begins nothing more: what waits is given back, what is in hand goes on. */
  stop(): void {
    this.#isStopped = true
    this.#disarm?.()
    this.#giveBack(this.#waiting.splice(0))
  }

  #begin(): void {
    const free = this.#options.hands - this.#inHand
    for (const { item, parcel } of this.#waiting.splice(0, free)) {
      this.#inHand += 1
      void this.#options.work(item).then(() => {
        this.#inHand -= 1
        this.#settled(parcel)
      })
    }
    if (this.#waiting.length > 0 && !this.#disarm) this.#arm()
  }

  /** It looks who is there when it rings, and nobody stops it when they go. */
  #arm(): void {
    const { time } = this.#options
    const dueAt = this.#waiting[0]!.parcel.takenAt + GIVEN_BACK_MS
    this.#disarm = time.after(dueAt - time.monotonic(), () => {
      this.#disarm = null
      const takenAt = this.#waiting[0]?.parcel.takenAt ?? Number.POSITIVE_INFINITY
      if (takenAt + GIVEN_BACK_MS <= time.monotonic()) this.#giveBack(this.#waiting.splice(0))
      if (this.#waiting.length > 0) this.#arm()
    })
  }

  #giveBack(late: readonly Waiting<Item>[]): void {
    if (late.length === 0) return
    void this.#options.giveBack(late.map(({ item }) => item)).then(() => {
      for (const { parcel } of late) this.#settled(parcel)
    })
  }

  #settled(parcel: Parcel): void {
    parcel.left -= 1
    // Whoever waits for the parcel hears first: it may take the next in the same go.
    if (parcel.left === 0) parcel.done()
    if (this.#isStopped) return
    this.#begin()
    if (this.room > 0) this.#options.onRoom()
  }
}
