// Where a route leads: what a user writes down of it, and the channel that is opened for it.
// Promise: a target is checked when the app loads, and what it holds shows itself to nobody.
import * as z from 'zod'
import type { Events } from '../../lib/events.ts'
import type { Notice, Severity } from '../../lib/notice.ts'
import { Secret, secretOf } from '../../lib/secret.ts'
import type { Time } from '../../lib/time.ts'
import type { Guard } from './guard.ts'

/** What a channel is to tell. */
export interface Message {
  /** The same at every attempt. */
  readonly id: string
  readonly route: string
  readonly attempt: number
  /** When this attempt began, in milliseconds since 1970. */
  readonly at: number
  /** The gravest of what is told; `isOver` when all of it is about what has ended. */
  readonly severity: Severity
  readonly isOver: boolean
  readonly count: number
  readonly title: string
  readonly text: string
  /** The first of its notices. */
  readonly notices: readonly Notice[]
  readonly last: readonly Notice[]
}

/** One way to tell. */
export interface Channel {
  /** Returns when the other side has it. @throws whatever kept it from that, without secrets */
  tell(message: Message, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** What a channel works with. */
export interface Tools {
  readonly route: string
  readonly guard: Guard
  readonly time: Time
  readonly events: Events
  readonly timeoutMs: number
  readonly concurrency: number
  /** A text without what this route must keep to itself. */
  mask(text: string): string
}

/** What is special about a kind of channel. */
export interface Kind {
  readonly name: string
  /** Each alarm goes alone. */
  readonly isSingle?: boolean
  /** What stored text needs on this channel, beside being without control characters. */
  readonly quote?: (text: string) => string
}

/** A target that was checked. */
export interface Checked {
  readonly kind: Kind
  readonly secrets: readonly Secret<string>[]
  open(tools: Tools): Channel
}

/** A target as it stands in the app file, made by `webhook`, `slack`, `email`, `pagerduty` or `logChannel`. */
export class Target {
  readonly #check: () => z.ZodSafeParseResult<Checked>

  constructor(check: () => z.ZodSafeParseResult<Checked>) {
    this.#check = check
  }

  check(): z.ZodSafeParseResult<Checked> {
    return this.#check()
  }
}

/** Makes the function a user writes a target with. */
export function targetOf<S extends z.ZodType>(
  kind: Kind,
  schema: S,
  open: (options: z.output<S>, tools: Tools) => Channel,
): (options: unknown) => Target {
  return (options) =>
    new Target(() => {
      const found = schema.safeParse(options)
      if (!found.success) return found as never
      const { data } = found
      const secrets = secretsIn(data)
      return { success: true, data: { kind, secrets, open: (tools) => open(data, tools) } }
    })
}

const secretsIn = (value: unknown): Secret<string>[] => {
  if (value instanceof Secret) return [value as Secret<string>]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(secretsIn)
}

const text = (most: number) =>
  z.string({ error: 'is no text' }).min(1, 'is empty').max(most, `has more than ${most} characters`)

/** A text to be kept out of sight, given as text or as a Secret. */
export const secretText = (most = 500) =>
  z
    .union([z.instanceof(Secret), z.string()], { error: 'is neither a text nor a Secret' })
    .transform((given) => secretOf(given as string | Secret<string>))
    .refine((hidden) => text(most).safeParse(hidden.reveal()).success, 'is no text, or empty')

/** An address of the web. It is kept out of sight: many hold a token. */
export const webAddress = () => secretText(2_000).refine(isWeb, 'is not an http or https address')

function isWeb(address: Secret<string>): boolean {
  try {
    const { protocol, username, password } = new URL(address.reveal())
    return /^https?:$/.test(protocol) && username === '' && password === ''
  } catch {
    return false
  }
}
