// The lane: one connection that the short statements of a process share, each sent behind the others without waiting for
// their answers. A server with work before it need not be woken, and two sessions do not fight over what both write.
// Promise: what was sent first is carried out first; a connection that is lost fails those on it, and nobody after them;
// while the server waits for its disk at each commit, everybody has a connection of their own and they wait together.
import type { Connection, Pool } from './pool.ts'
import { SystemTime, type Time } from './time.ts'

/** A server whose quickest commit takes longer waits for its disk, or for a standby. */
const SLOW_MS = 1.5
/** By so much the quickest commit grows older with each that comes after it. */
const FORGETTING = 1.05

export interface LaneOptions {
  /** Of one connection: the lane. */
  readonly shared: Pool
  /** Whose connections are used while the server is slow. */
  readonly beside: Pool
  readonly time?: Pick<Time, 'monotonic'>
}

/** A connection, while anybody is on it. */
export class Car {
  readonly client: Promise<Connection>
  readonly isShared: boolean
  /** When it last answered anybody. */
  answeredAt = Number.NEGATIVE_INFINITY
  readonly #close: (car: Car) => void
  #riders = 0
  #broken: Error | undefined

  /** @param close called when nobody more may come */
  constructor(client: Promise<Connection>, isShared: boolean, close: (car: Car) => void) {
    this.client = client
    this.isShared = isShared
    this.#close = close
  }

  enter(): this {
    this.#riders += 1
    return this
  }

  /** @param broken why the connection is good for nobody any more */
  leave(broken?: Error): void {
    this.#broken ??= broken
    this.#riders -= 1
    if (this.#riders > 0 && !this.#broken) return
    this.#close(this)
    if (this.#riders === 0)
      this.client.then((client) => client.release(this.#broken)).catch(() => {})
  }
}

export class Lane {
  readonly #options: LaneOptions
  readonly #time: Pick<Time, 'monotonic'>
  #car: Car | null = null
  #quickestMs = 0

  constructor(options: LaneOptions) {
    this.#options = options
    this.#time = options.time ?? new SystemTime()
  }

  /** Does the server wait for its disk? */
  get isSlow(): boolean {
    return this.#quickestMs > SLOW_MS
  }

  /** A connection to send on at once. Whoever has it leaves it when all is answered. */
  board(): Car {
    if (this.isSlow) return this.beside()
    this.#car ??= new Car(this.#options.shared.connect(), true, (car) => {
      if (this.#car === car) this.#car = null
    })
    return this.#car.enter()
  }

  /** A connection of one's own. */
  beside(): Car {
    return new Car(this.#options.beside.connect(), false, () => {}).enter()
  }

  /**
   * Sends what is a commit by itself, and takes the time from when the server could begin with it.
   * @param send must call the driver before it returns
   */
  async commit<T>(car: Car, send: () => Promise<T>): Promise<T> {
    const sentAt = this.#time.monotonic()
    try {
      return await send()
    } finally {
      const begunAt = Math.max(sentAt, car.answeredAt)
      const tookMs = this.answered(car) - begunAt
      this.#quickestMs = Math.min(tookMs, this.#quickestMs * FORGETTING || tookMs)
    }
  }

  /** What was sent last was answered. @returns when */
  answered(car: Car): number {
    car.answeredAt = this.#time.monotonic()
    return car.answeredAt
  }
}
