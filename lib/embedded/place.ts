// What the session remembers of one guest.
// Promise: a guest whose transaction was taken back hears why, in the way of a failed transaction:
// an error to whatever it says, until it ends the transaction itself. Its connection stays good.
import type { EscapementError } from '../errors.ts'
import { endingOf, followChannels } from './statements.ts'
import { complaint, ready, type Status } from './wire.ts'

/** Messages that are run together: all up to a Sync, a simple query, or a Flush. */
export interface Group {
  readonly bytes: Buffer
  /** The SQL in it. */
  readonly sql: string
  /** Does the server say ReadyForQuery at its end? Not after a Flush. */
  readonly final: boolean
}

export type Settings = ReadonlyMap<string, string>

/** Timeouts that end the session: with many on one, they would end it for all. `Turns` watches instead. */
const DEADLY = new Set([
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'transaction_timeout',
])

export class Place {
  readonly channels = new Set<string>()
  /** As the guest was told last. */
  status: Status = 'I'
  /** Why its transaction was taken back. */
  #verdict: EscapementError | null = null
  /** After an error everything up to the next Sync is skipped. */
  #skipping = false
  readonly #wishes: Settings
  #settings: Settings

  /** @param wishes the settings the guest asked for when it connected */
  constructor(wishes: Settings) {
    this.#wishes = harmless(wishes)
    this.#settings = this.#wishes
  }

  /** What is to be in force while this guest is served. */
  get settings(): Settings {
    return this.#settings
  }

  /** The guest set these; the others are as it wished. */
  keep(settings: Settings): void {
    this.#settings = new Map([...this.#wishes, ...harmless(settings)])
  }

  /** Follows the LISTEN and UNLISTEN of a text. */
  listen(sql: string): void {
    followChannels(this.channels, sql)
  }

  /** Its transaction was taken back. */
  judge(verdict: EscapementError): void {
    this.#verdict = verdict
  }

  /** What the guest hears instead of an answer to this group; null when the group may be run. */
  refusal({ sql, final }: Group): Buffer | null {
    if (!this.#verdict) return null
    const ending = endingOf(sql)
    if (ending === 'rollback') {
      this.#verdict = null
      return null
    }
    const heard = this.#skipping ? [] : [sentence(this.#verdict)]
    this.#skipping = !final
    if (!final) return Buffer.concat(heard)
    // A COMMIT fails and ends the transaction; what ran outside of one has nothing left to end.
    this.status = ending === 'commit' || this.status === 'I' ? 'I' : 'E'
    if (this.status === 'I') this.#verdict = null
    return Buffer.concat([...heard, ready(this.status)])
  }
}

const harmless = (settings: Settings): Settings =>
  new Map([...settings].filter(([name]) => !DEADLY.has(name.toLowerCase())))

const sentence = ({ message, todo }: EscapementError): Buffer =>
  complaint({ severity: 'ERROR', code: '25P03', text: message, hint: todo })
