// A webhook, signed per Standard Webhooks (https://www.standardwebhooks.com). The only standardwebhooks door.
// Promise: `webhook-id` is the same at every attempt of one delivery; the signature covers it, the time and the body.
import { Webhook } from 'standardwebhooks'
import * as z from 'zod'
import type { Secret } from '../../lib/secret.ts'
import { PostChannel } from './http.ts'
import { type Message, secretText, type Target, targetOf, webAddress } from './target.ts'

export interface WebhookOptions {
  readonly url: string | Secret<string>
  /** `whsec_` and 24 to 64 bytes in base64; several while they are being replaced: each signs. */
  readonly secret: string | Secret<string> | readonly (string | Secret<string>)[]
  /** More headers; their values are kept out of sight. */
  readonly headers?: Readonly<Record<string, string | Secret<string>>>
}

const SIGNING = /^(?:whsec_)?([A-Za-z0-9+/]+={0,2})$/

const NO_SECRET = 'is not a signing secret: `whsec_` and 24 to 64 bytes in base64'

const signing = secretText().refine((secret) => {
  const bytes = Buffer.from(SIGNING.exec(secret.reveal())?.[1] ?? '', 'base64').length
  return bytes >= 24 && bytes <= 64
}, NO_SECRET)

/** Headers that belong to the request itself. */
const OURS =
  /^(webhook-.*|content-.*|host|connection|transfer-encoding|user-agent|expect|upgrade)$/i

const schema = z.strictObject({
  url: webAddress(),
  secret: z
    .unknown()
    .transform((given) => (Array.isArray(given) ? given : [given]))
    .pipe(z.array(signing).min(1, NO_SECRET).max(4)),
  headers: z
    .record(
      z
        .string()
        .regex(/^[\w-]{1,60}$/, 'is no name of a header')
        .refine((name) => !OURS.test(name), 'is a header of the request itself'),
      secretText().refine(
        (value) => /^[\x20-\x7e]*$/.test(value.reveal()),
        'is no value of a header',
      ),
    )
    .default({}),
})

/** Each delivery as one signed POST. */
export const webhook: (options: WebhookOptions) => Target = targetOf(
  { name: 'webhook' },
  schema,
  (options, tools) => new WebhookChannel(options, tools),
)

class WebhookChannel extends PostChannel<z.output<typeof schema>> {
  async tell(message: Message, signal: AbortSignal): Promise<void> {
    const { url, secret, headers } = this.options
    const body = JSON.stringify(bodyOf(message))
    const { id, at } = message
    const signatures = secret.map((one) => new Webhook(one.reveal()).sign(id, new Date(at), body))
    const more = Object.entries(headers).map(([name, value]) => [name, value.reveal()])
    const signed = {
      ...Object.fromEntries(more),
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at / 1_000)),
      'webhook-signature': signatures.join(' '),
    }
    await this.poster.post({ url, headers: signed, body, signal })
  }
}

function bodyOf({ id, at, route, severity, isOver, count, title, text, notices }: Message): object {
  const data = { id, route, severity, isOver, count, title, text, notices }
  return { type: 'notices', timestamp: new Date(at).toISOString(), data }
}
