// One POST to somewhere outside. The only undici door.
// Promise: connects only where the guard lets it, follows no redirect, asks no proxy, waits no longer than it was told
// and reads no more than 64 KiB of an answer; an error says the host and what it did, never a path, a header or a body.
import type { Agent } from 'undici'
import { fault, isFault } from '../../lib/errors.ts'
import type { Secret } from '../../lib/secret.ts'
import type { Channel, Message, Tools } from './target.ts'

export interface Post {
  readonly url: Secret<string>
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
}

const MOST_BYTES = 65_536
/** What will not be better the next time: the receiver understood, and does not want this message. */
const FINAL = new Set([400, 410, 413, 422])

/** A delivery that did not work. */
export interface Refused {
  readonly retryable?: boolean
  readonly retryAfter?: string
}

export class Poster {
  readonly #tools: Tools
  #agent: Promise<Agent> | undefined
  #isClosed = false

  constructor(tools: Tools) {
    this.#tools = tools
  }

  /** Made for the first message: many apps post none, and every command would wait for undici. */
  async #connect(): Promise<Agent> {
    const { Agent, buildConnector } = await import('undici')
    const { guard, timeoutMs, concurrency } = this.#tools
    const connect = buildConnector({ lookup: guard.lookup, timeout: timeoutMs } as never)
    return new Agent({
      connections: concurrency,
      pipelining: 1,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      keepAliveTimeout: 1_000,
      maxHeaderSize: 16_384,
      connect: (options, done) => {
        try {
          guard.checkLiteral(options.hostname)
        } catch (thrown) {
          return done(thrown as Error, null)
        }
        connect(options, (error, socket) => {
          if (error) return done(error, null)
          try {
            guard.check(options.hostname, socket!.remoteAddress ?? '')
            done(null, socket!)
          } catch (thrown) {
            socket!.destroy()
            done(thrown as Error, null)
          }
        })
      },
    })
  }

  /** @throws DELIVERY_FAILED, TARGET_BLOCKED */
  async post({ url, headers, body, signal }: Post): Promise<void> {
    const { host } = new URL(url.reveal())
    const answer = await this.#ask({ url, headers, body, signal }, host)
    const { statusCode: status, headers: told } = answer
    // What it says is of no interest; how much it says is bounded.
    answer.body.on('error', () => {})
    await answer.body.dump({ limit: MOST_BYTES, signal }).catch(() => {})
    if (status >= 200 && status < 300) return
    if (status >= 300 && status < 400) {
      throw this.#failed(
        `${host} answered with a redirect (${status}), and redirects are not followed`,
      )
    }
    const retryAfter = told['retry-after']
    throw Object.assign(this.#failed(`${host} answered ${status}`), {
      ...(FINAL.has(status) && { retryable: false }),
      ...(typeof retryAfter === 'string' && { retryAfter }),
    } satisfies Refused)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await (await this.#agent)?.destroy()
  }

  async #ask({ url, headers, body, signal }: Post, host: string) {
    try {
      if (this.#isClosed) throw new Error('it is closed')
      this.#agent ??= this.#connect()
      const dispatcher = await this.#agent
      const { request } = await import('undici')
      return await request(url.reveal(), {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': 'escapement', ...headers },
        body,
        signal,
        dispatcher,
      })
    } catch (thrown) {
      if (isFault(thrown)) throw thrown
      if (signal.aborted) throw this.#failed(`${host} did not answer in time`)
      const { code, message } = thrown as Error & { code?: string }
      throw this.#failed(`${host} could not be asked (${code ?? this.#tools.mask(message)})`)
    }
  }

  #failed(reason: string) {
    return fault('DELIVERY_FAILED', { route: this.#tools.route, reason })
  }
}

/** A channel that tells by posting: it keeps what it was made with, and its connections until it is closed. */
export abstract class PostChannel<Options> implements Channel {
  protected readonly options: Options
  protected readonly poster: Poster

  constructor(options: Options, tools: Tools) {
    this.options = options
    this.poster = new Poster(tools)
  }

  abstract tell(message: Message, signal: AbortSignal): Promise<void>

  close(): Promise<void> {
    return this.poster.close()
  }
}
