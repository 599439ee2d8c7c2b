// The street: environment, terminal, user and signals of this process. Only this file touches `process`.
// Promise: output to a pipe nobody reads any more is dropped without a word; the first signal asks to
// stop, the second stops at once; whatever was thrown where nobody listens is heard here.
import { userInfo } from 'node:os'
import { EXIT } from '../lib/errors.ts'

/** Why the process is to end before its work is done. */
export type Halt =
  | { readonly kind: 'signal' }
  | { readonly kind: 'pipe' }
  | { readonly kind: 'crash'; readonly error: unknown }

/** Standard output, or standard error. */
export interface Outlet {
  readonly isTTY: boolean
  readonly stream: NodeJS.WriteStream
  write(text: string): void
}

/** More than any argument, less than any memory. */
const MOST_INPUT = 1_048_576

export class Street {
  readonly env: NodeJS.ProcessEnv = process.env
  readonly folder: string = process.cwd()
  readonly nodeVersion: string = process.versions.node
  readonly out: Outlet
  readonly err: Outlet
  readonly input: NodeJS.ReadStream = process.stdin
  /** Resolves when the process is asked to end. */
  readonly halted: Promise<Halt>
  /** A service drains when it is asked to stop, as long as that takes. */
  isService = false
  readonly #stop = new AbortController()

  constructor() {
    let halt: (why: Halt) => void = () => {}
    this.halted = new Promise((resolve) => {
      halt = (why) => {
        resolve(why)
        this.#stop.abort()
      }
    })
    this.out = outlet(process.stdout, () => halt({ kind: 'pipe' }))
    this.err = outlet(process.stderr, () => halt({ kind: 'pipe' }))
    this.#listen(halt)
  }

  /** Aborts when the process is asked to end. */
  get stopped(): AbortSignal {
    return this.#stop.signal
  }

  /** Who is at the keyboard. */
  get user(): string {
    try {
      return userInfo().username
    } catch {
      return this.env.USER || 'unknown' // a container may run under a number without a name
    }
  }

  /** All of standard input; null when it is longer than a mebibyte. */
  async read(): Promise<Buffer | null> {
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of this.input) {
      size += chunk.length
      if (size > MOST_INPUT) return null
      chunks.push(Buffer.from(chunk))
    }
    return Buffer.concat(chunks)
  }

  #listen(halt: (why: Halt) => void): void {
    const onSignal = () => {
      if (this.stopped.aborted) process.exit(this.isService ? EXIT.failed : EXIT.interrupted)
      halt({ kind: 'signal' })
    }
    const onCrash = (error: unknown) => halt({ kind: 'crash', error })
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal)
    process.on('uncaughtException', onCrash)
    process.on('unhandledRejection', onCrash)
  }
}

function outlet(stream: NodeJS.WriteStream, onClosed: () => void): Outlet {
  let closed = false
  stream.on('error', () => {
    closed = true
    onClosed()
  })
  return {
    isTTY: stream.isTTY === true,
    stream,
    write: (text) => {
      if (!closed) stream.write(text)
    },
  }
}
