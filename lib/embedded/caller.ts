// A wire to the embedded database that the stock `pg` driver takes for a socket.
// Promise: speaks like a PostgreSQL server, asks no password, and puts whole groups of messages in
// line, so nobody's Bind meets another's Parse.
import { Duplex } from 'node:stream'
import type { Guest, Session } from './session.ts'
import { mayCopyIn, settingsIn } from './statements.ts'
import {
  CANCEL_REQUEST,
  Cutter,
  complaint,
  GSS_REQUEST,
  keyData,
  type Message,
  message,
  pairsFrom,
  ready,
  renamed,
  SSL_REQUEST,
  statementOf,
  textAt,
} from './wire.ts'

/** Start-up parameters that are not settings. */
const NOT_SETTINGS = new Set(['user', 'database', 'replication', 'options'])

/** Parse, Bind, Describe, Close, Execute, Query, Sync, Flush: handed on in groups. */
const GROUPED = new Set('PBDCEQSH')
/** Also Terminate, and the data of copies, which have failed already when it comes. */
const KNOWN = new Set([...GROUPED, ...'Xdcf'])

/** Data of the client cannot be waited for in a session that others use: the copy fails instead. */
const COPY_FAIL = message('f', 'the embedded database takes no data from a client; use INSERT')

export interface CallerOptions {
  readonly session: Session
  /** How the database greets: what it says at start-up before the key and ReadyForQuery. */
  readonly greeting: Buffer
  /** A number no other caller has. */
  readonly id: number
}

export class Caller extends Duplex implements Guest {
  wishes: ReadonlyMap<string, string> = new Map()
  readonly statements = new Map<string, string>()
  readonly #options: CallerOptions
  readonly #cutter = new Cutter(false)
  #group: Buffer[] = []
  #sql = ''
  #named = 0
  #copies = false
  #gone = false

  constructor(options: CallerOptions) {
    super({ allowHalfOpen: false })
    this.#options = options
  }

  // ---- what the driver expects of a socket ----

  connect(): this {
    queueMicrotask(() => this.emit('connect'))
    return this
  }

  setNoDelay(): this {
    return this
  }

  /** Nothing can drop this line silently, so it is always kept alive. */
  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  override _read(): void {}

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    done()
    try {
      for (const one of this.#cutter.cut(chunk)) {
        if (this.#gone) return
        if (one.type === '') this.#open(one)
        else this.#take(one)
      }
    } catch {
      this.#refuse('The message is not one of the protocol.')
    }
  }

  override _final(done: () => void): void {
    done()
    this.destroy()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#leave()
    done(error)
  }

  // ---- what the session expects of a guest ----

  answer(bytes: Buffer): void {
    if (!this.#gone && bytes.length > 0) this.push(bytes)
  }

  dismiss(bytes: Buffer): void {
    this.answer(bytes)
    this.#leave()
    if (!this.destroyed) this.push(null)
  }

  // ---- reading ----

  #open(one: Message): void {
    const code = one.bytes.readInt32BE(4)
    if (code === CANCEL_REQUEST) this.destroy()
    else if (code === SSL_REQUEST || code === GSS_REQUEST) this.answer(Buffer.from('N'))
    else this.#welcome(pairsFrom(one, 8))
  }

  #welcome(parameters: Map<string, string>): void {
    this.#cutter.typed = true
    this.wishes = new Map([
      ...settingsIn(parameters.get('options') ?? ''),
      ...[...parameters].filter(([name]) => !NOT_SETTINGS.has(name)),
    ])
    const { session, greeting, id } = this.#options
    session.join(this)
    this.answer(Buffer.concat([greeting, keyData(id), ready('I')]))
  }

  #take(one: Message): void {
    const { type } = one
    if (type === 'Q') this.#quote(textAt(one, 5))
    if (type === 'P') this.#quote(textAt(one, one.bytes.indexOf(0, 5) + 1))
    if (GROUPED.has(type)) this.#group.push(this.#rename(one))
    // What may begin a copy is followed by its end at once; without a copy the end is ignored.
    if (this.#copies && (type === 'Q' || type === 'E')) this.#group.push(COPY_FAIL)
    if (type === 'Q' || type === 'S' || type === 'H') this.#send(type !== 'H')
    if (type === 'X') this.destroy()
    if (!KNOWN.has(type)) this.#refuse(`The embedded database knows no message "${type}".`)
  }

  #quote(sql: string): void {
    this.#sql = this.#sql === '' ? sql : `${this.#sql};${sql}`
    this.#copies ||= mayCopyIn(sql)
  }

  #send(final: boolean): void {
    const group = { bytes: Buffer.concat(this.#group), sql: this.#sql, final }
    this.#group = []
    this.#sql = ''
    this.#options.session.run(this, group)
  }

  /** Prepared statements of different callers may have the same name; in the session they do not. */
  #rename(one: Message): Buffer {
    const name = statementOf(one)
    if (name === '') return one.bytes
    const known = this.statements.get(name) ?? `c${this.#options.id}_${this.#named++}`
    if (one.type === 'C') this.statements.delete(name)
    else this.statements.set(name, known)
    return renamed(one, known)
  }

  #refuse(text: string): void {
    this.dismiss(complaint({ severity: 'FATAL', code: '08P01', text }))
  }

  #leave(): void {
    if (this.#gone) return
    this.#gone = true
    this.#options.session.leave(this)
  }
}
