// The envelope: how a ticket travels where others can read and write.
// Promise: a message opens only if this system sealed it, for this queue, not too long ago; what
// does not open is refused with a reason, and nothing else is ever thrown.
import { randomUUID } from 'node:crypto'
import * as z from 'zod'
import type { Ticket } from './contract.ts'
import { fault, isFault } from './errors.ts'
import type { Keyring } from './keyring.ts'
import type { Time } from './time.ts'

/** Format 1, sealed with Fernet; then the key's number, then the token. */
const PREFIX = 'e1.f.'
const HEADER = /^e1\.f\.(0|[1-9]\d{0,8})\./
const MOST_CHARACTERS = 4096
/** How far the sender's clock may be ahead of ours. */
const MOST_SKEW_MS = 60_000

/** What is sealed, by the names of RFC 7519. Times in milliseconds since 1970. */
const Body = z.strictObject({
  /** For which queue. */
  aud: z.string(),
  /** Which resource. */
  sub: z.string().min(1).max(256),
  /** This message and no other. */
  jti: z.uuid(),
  iat: z.int().nonnegative(),
  exp: z.int().nonnegative(),
})
type Body = z.infer<typeof Body>

export interface EnvelopeOptions {
  readonly keyring: Keyring
  /** The name of the queue; a message for another is refused. */
  readonly queue: string
  readonly time: Time
  /** How long a message may lie in the queue; the clock issues a new one for what expired. */
  readonly ttlMs: number
}

/** Seals and opens the messages of one queue. */
export class Envelope {
  readonly #keyring: Keyring
  readonly #queue: string
  readonly #time: Time
  readonly #ttlMs: number

  constructor({ keyring, queue, time, ttlMs }: EnvelopeOptions) {
    this.#keyring = keyring
    this.#queue = queue
    this.#time = time
    this.#ttlMs = ttlMs
  }

  /** Which key a message says it was sealed with, opened or not; null if it says nothing readable. */
  static keyIdOf(message: unknown): string | null {
    return (typeof message === 'string' && HEADER.exec(message)?.[1]) || null
  }

  /**
   * Seals a ticket: clear header `e1.f.<key id>.`, then the Fernet token.
   * @throws ARGUMENT_INVALID for a resource id that no message could carry
   */
  seal(ticket: Ticket): string {
    if (!Body.shape.sub.safeParse(ticket.resourceId).success) {
      throw fault('ARGUMENT_INVALID', {
        what: 'The resource id of a ticket',
        reason: 'it is not text of 1 to 256 characters',
      })
    }
    const iat = Math.floor(this.#time.now())
    const body = {
      aud: this.#queue,
      sub: ticket.resourceId,
      jti: randomUUID(),
      iat,
      exp: Math.ceil(iat + this.#ttlMs),
    } satisfies Body
    return PREFIX + this.#keyring.seal('queue', JSON.stringify(body), iat)
  }

  /**
   * Opens a message.
   * @param message whatever the queue gave
   * @throws TICKET_REFUSED with the reason
   */
  open(message: unknown): Ticket {
    const nowMs = this.#time.now()
    const { aud, sub, iat, exp } = bodyOf(this.#unseal(message))
    if (aud !== this.#queue) throw refused('it is for another queue')
    if (iat > nowMs + MOST_SKEW_MS) throw refused('it comes from the future')
    if (exp <= nowMs) throw refused('it has expired')
    return { resourceId: sub }
  }

  #unseal(message: unknown): string {
    if (typeof message !== 'string') throw refused('it is not text')
    if (message.length > MOST_CHARACTERS) throw refused('it is too long')
    const keyId = Envelope.keyIdOf(message)
    if (keyId === null) throw refused('its header is not one of ours')
    try {
      // The body carries finer times under the same seal; judged there, a refusal names its cause.
      return this.#keyring.open('queue', message.slice(PREFIX.length), Number.POSITIVE_INFINITY)
    } catch (error) {
      const unknown = isFault(error, 'SEAL_UNKNOWN_KEY')
      throw refused(unknown ? `key ${keyId} is not in the keyring` : 'its seal is broken')
    }
  }
}

function bodyOf(text: string): Body {
  try {
    return Body.parse(JSON.parse(text))
  } catch {
    throw refused('its body is malformed')
  }
}

const refused = (reason: string) => fault('TICKET_REFUSED', { reason })
