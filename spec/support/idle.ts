// How idle the processors of this machine are.
// Promise: the share of time, from 0 to 1, in which they had nothing to do since the last look; asks nobody but the system.
import { cpus } from 'node:os'
import { SystemTime } from '../../lib/time.ts'

const time = new SystemTime()

export class Idleness {
  #idle = 0
  #all = 0
  #lookedAt = 0

  constructor() {
    this.look()
  }

  /** How long ago the last look was, in milliseconds. */
  get sinceMs(): number {
    return time.monotonic() - this.#lookedAt
  }

  /** The share since the last look; 0 where the system does not tell. */
  look(): number {
    const times = cpus().map((one) => one.times)
    const idle = times.reduce((sum, { idle }) => sum + idle, 0)
    const all = times.flatMap((one) => Object.values(one)).reduce((sum, ms) => sum + ms, 0)
    const share = all > this.#all ? (idle - this.#idle) / (all - this.#all) : 0
    this.#idle = idle
    this.#all = all
    this.#lookedAt = time.monotonic()
    return share
  }
}
