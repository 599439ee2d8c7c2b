// E-mail over SMTP. The only nodemailer door.
// Promise: plain text, one message for all recipients with one Message-ID at every attempt; no stored text gets into a
// header beside the subject, and none ends it; a login never travels in the clear unless that was asked for.
import { connect, type Socket } from 'node:net'
import * as z from 'zod'
import { fault, isFault } from '../../lib/errors.ts'
import type { Secret } from '../../lib/secret.ts'
import { onOneLine } from './clean.ts'
import {
  type Channel,
  type Message,
  secretText,
  type Target,
  type Tools,
  targetOf,
} from './target.ts'

export interface EmailOptions {
  readonly host: string
  /** Default 587, or 465 with `secure`. */
  readonly port?: number
  /** TLS from the first byte. Default: only at port 465. */
  readonly secure?: boolean
  /** Refuse a server that does not offer STARTTLS. Default: when there is a login. */
  readonly requireTls?: boolean
  readonly user?: string | Secret<string>
  readonly password?: string | Secret<string>
  readonly from: string
  readonly to: string | readonly string[]
}

const ADDRESS =
  /^(?:[^\p{Cc}<>"]{1,100} )?<[^\s\p{Cc}<>@",;]{1,64}@[^\s\p{Cc}<>@",;]{1,255}>$|^[^\s\p{Cc}<>@",;]{1,64}@[^\s\p{Cc}<>@",;]{1,255}$/u
const address = z
  .string({ error: 'is no e-mail address' })
  .regex(ADDRESS, 'is not an e-mail address such as ops@example.com or Ops <ops@example.com>')
const MOST_SUBJECT = 200

const schema = z
  .strictObject({
    host: z.string({ error: 'is missing' }).regex(/^[\w.:-]{1,255}$/, 'is no name of a host'),
    port: z.int().min(1).max(65_535).optional(),
    secure: z.boolean().optional(),
    requireTls: z.boolean().optional(),
    user: secretText().optional(),
    password: secretText().optional(),
    from: address,
    to: z.union([address.transform((one) => [one]), z.array(address).min(1).max(50)], {
      error: 'holds no e-mail address such as ops@example.com',
    }),
  })
  .refine(({ user, password }) => (user === undefined) === (password === undefined), {
    path: ['password'],
    error: '`user` and `password` go together',
  })

type Options = z.output<typeof schema>

/** Each delivery as one message. */
export const email: (options: EmailOptions) => Target = targetOf(
  { name: 'email' },
  schema,
  (options, tools) => new EmailChannel(options, tools),
)

class EmailChannel implements Channel {
  readonly #options: Options
  readonly #tools: Tools

  constructor(options: Options, tools: Tools) {
    this.#options = options
    this.#tools = tools
  }

  async tell({ id, title, text }: Message, signal: AbortSignal): Promise<void> {
    const { host, from, to } = this.#options
    const sockets: Socket[] = []
    const stop = () => {
      for (const socket of sockets) socket.destroy(new Error('stopped'))
    }
    signal.addEventListener('abort', stop, { once: true })
    try {
      const { createTransport } = await import('nodemailer') // many apps send no mail
      signal.throwIfAborted()
      const socket = await this.#connected(sockets, signal)
      const domain = /@([^>]+)>?$/.exec(from)![1]!
      await createTransport(this.#at(socket)).sendMail({
        ...{ from, to, text, messageId: `<${id}@${domain}>` },
        subject: onOneLine(title).slice(0, MOST_SUBJECT),
        headers: { 'Auto-Submitted': 'auto-generated', 'X-Escapement-Delivery': id },
        disableFileAccess: true,
        disableUrlAccess: true,
      })
    } catch (thrown) {
      if (isFault(thrown)) throw thrown
      if (signal.aborted) throw this.#failed(`${host} did not answer in time`)
      const { code, responseCode } = thrown as Error & { code?: string; responseCode?: number }
      const said = responseCode ? `answered ${responseCode}` : 'could not be asked'
      throw this.#failed(`${host} ${said} (${code ?? 'no reason given'})`)
    } finally {
      signal.removeEventListener('abort', stop)
      stop()
    }
  }

  async close(): Promise<void> {}

  #at(connection: Socket) {
    const { host, port, user, password } = this.#options
    const secure = this.#options.secure ?? port === 465
    const { timeoutMs } = this.#tools
    const requireTLS = this.#options.requireTls ?? user !== undefined
    const auth = user && password && { user: user.reveal(), pass: password.reveal() }
    return {
      ...{ host, port: this.#port, secure, requireTLS, connection, name: 'escapement' },
      ...(auth && { auth }),
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
    }
  }

  get #port(): number {
    return this.#options.port ?? (this.#options.secure ? 465 : 587)
  }

  /** A socket to an address that was checked. */
  async #connected(sockets: Socket[], signal: AbortSignal): Promise<Socket> {
    const { host } = this.#options
    const { guard } = this.#tools
    guard.checkLiteral(host)
    if (signal.aborted) throw new Error('stopped')
    const socket = connect({ host, port: this.#port, lookup: guard.lookup })
    sockets.push(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    // nodemailer listens from here on; what comes between must not end the process.
    socket.on('error', () => {})
    guard.check(host, socket.remoteAddress ?? '')
    return socket
  }

  #failed(reason: string) {
    return fault('DELIVERY_FAILED', { route: this.#tools.route, reason })
  }
}
