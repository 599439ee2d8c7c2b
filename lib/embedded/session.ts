// The one session of the embedded database, shared by many guests.
// Promise: settings, channels and statements of one guest are never another's; a notification
// reaches everybody who listens; a guest that goes away leaves nothing open.
// What guests do share, unlike on a server: session-level advisory locks, temporary tables, roles,
// whatever is prepared or thrown away in SQL (PREPARE, DEALLOCATE ALL, DISCARD ALL), and what a prepared statement
// that is run again sets by `set_config` for longer than its transaction.
import { type EscapementError, fault } from '../errors.ts'
import type { Time } from '../time.ts'
import { type Group, Place, type Settings } from './place.ts'
import {
  configuresForLong,
  ownSettingsIn,
  quoteName,
  quoteText,
  setsForLong,
} from './statements.ts'
import { Turns } from './turns.ts'
import {
  closeStatement,
  columnsOf,
  complaint,
  type Message,
  message,
  messagesIn,
  query,
  type Status,
  SYNC,
  textAt,
} from './wire.ts'

/** A client, as the session sees it. */
export interface Guest {
  /** The settings it asked for when it connected. */
  readonly wishes: Settings
  /** The names the session knows its prepared statements by. */
  readonly statements: ReadonlyMap<string, string>
  answer(bytes: Buffer): void
  /** Last words of the session; nothing is answered after them. */
  dismiss(bytes: Buffer): void
}

export interface SessionOptions {
  /** Runs messages in the database and returns its answer. */
  readonly execute: (bytes: Buffer) => Promise<Buffer>
  readonly time: Time
  /** How long a transaction may rest while others wait, in milliseconds. */
  readonly stuckMs: number
}

/** Ends whatever runs: first as part of an unfinished group, then as a statement of its own. */
const ROLL_BACK = Buffer.concat([
  message('P', '', 'ROLLBACK', Buffer.alloc(2)),
  message('B', '', '', Buffer.alloc(6)),
  message('E', '', Buffer.alloc(4)),
  SYNC,
  query('ROLLBACK'),
])

export class Session {
  readonly #execute: SessionOptions['execute']
  readonly #places = new Map<Guest, Place>()
  readonly #turns: Turns<Guest>
  /** The settings in force, beyond the server's own. */
  #settings: Settings = new Map()
  /** Settings that only their own name finds again. */
  readonly #ownNames = new Set<string>()
  /** Did the guest being served change settings, or stop listening? */
  #unsettled = false
  #deafened = false
  /** What newcomers hear once nobody is served any more. */
  #lastWords: Buffer | null = null
  #broken = false

  constructor({ execute, time, stuckMs }: SessionOptions) {
    this.#execute = execute
    this.#turns = new Turns({
      time,
      stuckMs,
      onStuck: (guest, waiting) =>
        this.#expel(guest, fault('TRANSACTION_STUCK', { seconds: stuckMs / 1_000, waiting })),
      onBroken: (cause) => this.#break(cause),
    })
  }

  /** Is the database beyond use? */
  get broken(): boolean {
    return this.#broken
  }

  join(guest: Guest): void {
    if (this.#lastWords) guest.dismiss(this.#lastWords)
    else this.#places.set(guest, new Place(guest.wishes))
  }

  /** Puts a group of messages in line; the guest is answered when it was run. */
  run(guest: Guest, group: Group): void {
    const place = this.#places.get(guest)
    if (place) this.#turns.ask(guest, () => this.#serve(guest, place, group))
  }

  /** Takes back what a guest left behind. What it still had in line is not run. */
  leave(guest: Guest): void {
    const place = this.#places.get(guest)
    if (!place) return
    this.#turns.drop(guest)
    this.#turns.ask(guest, () => this.#bury(guest, place))
  }

  /** Dismisses all guests, and resolves when what they left open was rolled back. */
  async close(): Promise<void> {
    this.#lastWords ??= lastWords('The embedded database was closed.')
    for (const guest of this.#places.keys()) guest.dismiss(this.#lastWords)
    await this.#turns.quiet()
  }

  // ---- one turn ----

  async #serve(guest: Guest, place: Place, group: Group): Promise<void> {
    const refusal = place.refusal(group)
    if (refusal) return guest.answer(refusal)
    if (this.#turns.holder !== guest) {
      const problem = await this.#dress(place)
      if (problem) return guest.dismiss(problem)
    }
    const status = this.#read(await this.#execute(group.bytes), guest, place, group)
    if (status === null && group.final) throw new Error('a query ended without an answer')
    place.status = status ?? place.status
    this.#turns.holder = status === 'I' ? null : guest
    if (status === 'I') await this.#tidy(place)
  }

  /** Hands an answer to whom it concerns, and returns the status it ends with. */
  #read(answer: Buffer, guest: Guest, place: Place, { sql }: Group): Status | null {
    const kept: Buffer[] = []
    let status: Status | null = null
    for (const one of messagesIn(answer)) {
      if (one.type === 'A') this.#route(one)
      else kept.push(one.bytes)
      if (one.type === 'Z') status = textAt(one, 5) as Status
      if (one.type === 'C') this.#note(textAt(one, 5), place, sql)
      if (one.type === 'S') this.#unsettled = true
    }
    guest.answer(Buffer.concat(kept))
    return status
  }

  /** What a finished statement means for the session. */
  #note(tag: string, place: Place, sql: string): void {
    if (tag === 'LISTEN' || tag === 'UNLISTEN') place.listen(sql)
    if (tag === 'DISCARD ALL') place.channels.clear()
    this.#deafened ||= tag === 'UNLISTEN' || tag === 'DISCARD ALL'
    const isSet = /^(SET|RESET|DISCARD ALL)$/.test(tag) ? setsForLong(sql) : configuresForLong(sql)
    if (!isSet) return
    this.#unsettled = true
    for (const name of ownSettingsIn(sql)) this.#ownNames.add(name)
  }

  /** A notification goes to everybody who listens, whoever is being served. */
  #route(notification: Message): void {
    const channel = textAt(notification, 9)
    for (const [guest, { channels }] of this.#places) {
      if (channels.has(channel)) guest.answer(notification.bytes)
    }
  }

  /** Puts a guest's settings in force; returns the server's complaint when they cannot be. */
  async #dress({ settings }: Place): Promise<Buffer | null> {
    if (this.#settings === settings) return null
    const sql = changes(this.#settings, settings)
    const answer = sql === '' ? Buffer.alloc(0) : await this.#execute(query(sql))
    for (const { type, bytes } of messagesIn(answer)) if (type === 'E') return bytes
    this.#settings = settings
    return null
  }

  /** After a guest's work: remembers what it set, and listens again to what others want to hear. */
  async #tidy(place: Place): Promise<void> {
    if (this.#unsettled) {
      this.#settings = await this.#askSettings()
      place.keep(this.#settings)
      await this.#dress(place)
    }
    if (this.#deafened) {
      const wanted = new Set([...this.#places.values()].flatMap(({ channels }) => [...channels]))
      await this.#execute(query([...wanted].map((name) => `LISTEN ${quoteName(name)}`).join(';')))
    }
    this.#unsettled = this.#deafened = false
  }

  async #askSettings(): Promise<Settings> {
    const own = [...this.#ownNames].map(quoteText).join(', ')
    const sql = `SELECT name, setting FROM pg_settings WHERE source = 'session' UNION
      SELECT name, current_setting(name, true) FROM unnest(ARRAY[${own}]::text[]) AS name
      WHERE current_setting(name, true) <> ''`
    const answer = [...messagesIn(await this.#execute(query(sql)))]
    const rows = answer.filter(({ type }) => type === 'D').map(columnsOf)
    return new Map(rows.map(([name, setting]) => [name!, setting!]))
  }

  /** Rolls back, forgets statements and stops listening for a guest that is gone. */
  async #bury(guest: Guest, { channels }: Place): Promise<void> {
    this.#places.delete(guest)
    if (this.#turns.holder === guest) await this.#rollBack()
    const closing = [...guest.statements.values()].map(closeStatement)
    if (closing.length > 0) await this.#execute(Buffer.concat([...closing, SYNC]))
    const others = [...this.#places.values()]
    const unheard = [...channels].filter((name) => !others.some((one) => one.channels.has(name)))
    if (unheard.length === 0) return
    await this.#execute(query(unheard.map((name) => `UNLISTEN ${quoteName(name)}`).join(';')))
  }

  async #rollBack(): Promise<void> {
    await this.#execute(ROLL_BACK)
    this.#turns.holder = null
    this.#unsettled = this.#deafened = false
  }

  // ---- when things go wrong ----

  /** Takes the transaction of a guest back that rested in it while others waited. */
  #expel(guest: Guest, verdict: EscapementError): void {
    this.#turns.ask(guest, async () => {
      this.#places.get(guest)?.judge(verdict)
      await this.#rollBack()
    })
  }

  /** The database is beyond use: everybody is told, nothing is run any more. */
  #break(cause: Error): void {
    const { message: text, todo } = fault('EMBEDDED_STOPPED', { reason: cause.message }, cause)
    this.#broken = true
    this.#lastWords = lastWords(text, todo)
    this.#turns.clear()
    const guests = [...this.#places.keys()]
    this.#places.clear()
    for (const guest of guests) guest.dismiss(this.#lastWords)
  }
}

/** 57P01 is what a server says when it shuts down. */
const lastWords = (text: string, hint?: string): Buffer =>
  complaint({ severity: 'FATAL', code: '57P01', text, ...(hint && { hint }) })

/** The SQL that turns these settings into those. */
function changes(from: Settings, to: Settings): string {
  const gone = [...from.keys()].filter((name) => !to.has(name))
  const set = [...to].filter(([name, value]) => from.get(name) !== value)
  return [
    ...gone.map((name) => `RESET ${quoteName(name)}`),
    ...set.map(([name, value]) => {
      return `SELECT set_config(${quoteText(name)}, ${quoteText(value)}, false)`
    }),
  ].join(';')
}
