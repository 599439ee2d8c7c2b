// The way to the cloud: requests with a deadline, answers as values, troubles as typed errors.
// Promise: an error says whether trying again can help, and when, in the words the house understands
// (`retryable`, `retryAfterMs`); nothing is retried here.
import type { Machine } from './cloud.ts'

const DEADLINE_MS = 2_000

/** The cloud said no, or nothing. */
export class CloudError extends Error {
  override readonly name = 'CloudError'
  /** 0 when there was no answer. */
  readonly status: number
  readonly retryable: boolean
  readonly retryAfterMs: number | undefined

  constructor(status: number, message: string, retryAfterMs?: number) {
    super(message)
    this.status = status
    this.retryable = status === 0 || status === 429 || status >= 500
    this.retryAfterMs = retryAfterMs
  }
}

export interface Call {
  /** Aborts when nobody wants the answer any more. */
  readonly signal: AbortSignal
}

export class CloudClient {
  readonly #address: () => Promise<string>

  constructor(address: () => Promise<string>) {
    this.#address = address
  }

  /** Rents a machine. The same key rents the same machine. */
  async order(
    order: Pick<Machine, 'plan' | 'owner'>,
    { key, signal }: Call & { key: string },
  ): Promise<Machine> {
    const headers = { 'idempotency-key': key }
    const body = JSON.stringify(order)
    return (await this.#ask('/machines', { method: 'POST', headers, body, signal })).json()
  }

  /** A machine, or null when the cloud knows none of that name. */
  async find(id: string, { signal }: Call): Promise<Machine | null> {
    return orNull(async () => (await this.#ask(`/machines/${id}`, { signal })).json())
  }

  /** Every machine rented for this owner, dead ones too. */
  async ownedBy(owner: string, { signal }: Call): Promise<Machine[]> {
    return (await this.#ask(`/machines?owner=${owner}`, { signal })).json()
  }

  /** Gives a machine back. One that is gone already is as good. */
  async remove(id: string, { signal }: Call): Promise<void> {
    await orNull(() => this.#ask(`/machines/${id}`, { method: 'DELETE', signal }))
  }

  /** @throws CloudError unless the answer is a good one */
  async #ask(path: string, request: RequestInit & Call): Promise<any> {
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(DEADLINE_MS)])
    const url = `${await this.#address()}${path}`
    const answer = await fetch(url, { ...request, signal }).catch((error: Error) => {
      throw new CloudError(0, `the cloud did not answer: ${error.message}`)
    })
    if (answer.ok) return answer
    await answer.body?.cancel()
    throw new CloudError(answer.status, `the cloud answered ${answer.status}`, waitOf(answer))
  }
}

/** What the header Retry-After asks for: seconds, or a date. */
function waitOf(answer: Response): number | undefined {
  const text = answer.headers.get('retry-after')
  if (text === null) return undefined
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

async function orNull<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof CloudError && error.status === 404) return null
    throw error
  }
}
