// The envelope: how tickets travel where others can read and write, one or a bundle of them.
// Promise: a message opens only if this system sealed it, for this queue, not too long ago; what
// does not open is refused with a reason, and nothing else is ever thrown. How many tickets are in
// it can be read from outside, and who they are for cannot.
import { randomUUID } from 'node:crypto'
import * as z from 'zod'
import type { Ticket } from './contract.ts'
import { fault, isFault } from './errors.ts'
import type { Keyring } from './keyring.ts'
import type { Time } from './time.ts'

/** The most tickets of one message. */
const MOST_TICKETS = 16
/** What has a longer name travels alone, so that a message stays small. */
const MOST_NAME = 64
const MOST_CHARACTERS = 9_000
/** One ticket is `e1.f.<key id>.<token>`, a bundle `e2.f.<how many>.<key id>.<token>`; f is Fernet. */
const HEADER = /^(?:e1\.f|e2\.f\.([2-9]|1[0-6]))\.((0|[1-9]\d{0,8})\..*)$/s
/** How far the sender's clock may be ahead of ours. */
const MOST_SKEW_MS = 60_000

/** What is sealed, by the names of RFC 7519. Times in milliseconds since 1970. */
const Body = z.strictObject({
  /** For which queue. */
  aud: z.string(),
  /** Which resource, or which of them. */
  sub: z.union([
    z.string().min(1).max(256),
    z.array(z.string().min(1).max(MOST_NAME)).min(2).max(MOST_TICKETS),
  ]),
  /** This message and no other. */
  jti: z.uuid(),
  iat: z.int().nonnegative(),
  exp: z.int().nonnegative(),
})
type Body = z.infer<typeof Body>

/** Which tickets travel together, in their order. */
export function bundlesOf(tickets: readonly Ticket[]): Ticket[][] {
  const bundles: Ticket[][] = []
  let open: Ticket[] | null = null
  for (const ticket of tickets) {
    // What is no text at all goes alone too, and its seal refuses it.
    const isAlone = !(ticket.resourceId.length <= MOST_NAME)
    if (!isAlone && open && open.length < MOST_TICKETS) open.push(ticket)
    else {
      const bundle = [ticket]
      bundles.push(bundle)
      open = isAlone ? null : bundle
    }
  }
  return bundles
}

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
    return (typeof message === 'string' && HEADER.exec(message)?.[3]) || null
  }

  /** How many tickets a message says it holds; what says nothing readable counts as one. */
  static countOf(message: unknown): number {
    return Number((typeof message === 'string' && HEADER.exec(message)?.[1]) || 1)
  }

  /**
   * Seals tickets that travel together, see `bundlesOf`: a clear header, then the Fernet token.
   * @throws ARGUMENT_INVALID for a resource id that no message could carry
   */
  seal(...tickets: readonly Ticket[]): string {
    const [first, ...more] = tickets.map(({ resourceId }) => resourceId)
    const sub = more.length > 0 ? [first, ...more] : first
    if (!Body.shape.sub.safeParse(sub).success) {
      throw fault('ARGUMENT_INVALID', {
        what: 'The resource id of a ticket',
        reason: 'it is not text of 1 to 256 characters',
      })
    }
    const iat = Math.floor(this.#time.now())
    const exp = Math.ceil(iat + this.#ttlMs)
    const body = { aud: this.#queue, sub, jti: randomUUID(), iat, exp }
    const head = more.length > 0 ? `e2.f.${tickets.length}.` : 'e1.f.'
    return head + this.#keyring.seal('queue', JSON.stringify(body), iat)
  }

  /**
   * Opens a message.
   * @param message whatever the queue gave
   * @throws TICKET_REFUSED with the reason
   */
  open(message: unknown): Ticket[] {
    const nowMs = this.#time.now()
    const { aud, sub, iat, exp } = bodyOf(this.#unseal(message))
    if ((Array.isArray(sub) ? sub.length : 1) !== Envelope.countOf(message))
      throw refused('its header miscounts its tickets')
    if (aud !== this.#queue) throw refused('it is for another queue')
    if (iat > nowMs + MOST_SKEW_MS) throw refused('it comes from the future')
    if (exp <= nowMs) throw refused('it has expired')
    this.#time.heard?.(iat)
    return [sub].flat().map((resourceId) => ({ resourceId, issuedAt: iat }))
  }

  #unseal(message: unknown): string {
    if (typeof message !== 'string') throw refused('it is not text')
    if (message.length > MOST_CHARACTERS) throw refused('it is too long')
    const [, , sealed, keyId] = HEADER.exec(message) ?? []
    if (sealed === undefined) throw refused('its header is not one of ours')
    try {
      // The body carries finer times under the same seal; judged there, a refusal names its cause.
      return this.#keyring.open('queue', sealed, Number.POSITIVE_INFINITY)
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
