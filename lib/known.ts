// Secrets this process has seen, found again in a text however they are written there.
// Promise: remembering costs a look into a set; all else waits until somebody searches. Bounded: the latest are kept,
// the oldest are forgotten. What was seen leaves this file as places in a text, never as itself.
import { type Spelling, spellingsOf } from './spelling.ts'

/** A part of a text, from one letter to before another. */
export type Span = readonly [from: number, to: number]

/** What is shorter is found everywhere. */
const LEAST_LETTERS = 6
/** A line of a longer secret is a secret itself. */
const LEAST_LINE = 12
/** Two generations are kept: at most 10,000 secrets, and 8 million letters. */
const MOST_IN_GENERATION = 5_000
const MOST_LETTERS = 4_000_000
const KEYS = 65_536
/** Nobody's secrets, though they stand where secrets do: masking them would make sentences unreadable. */
const PLAIN = new Set(
  `password passwort passwd passphrase secret secrets changeme change-me example default undefined unknown
   username localhost postgres postgresql testing test-test string number object boolean required optional
   private public development production staging`.split(/\s+/),
)

/** Secrets remembered at about the same time, forgotten together. */
class Generation {
  readonly #texts = new Set<string>()
  #letters = 0
  #unsorted: string[] = []
  /** What is to be looked for, by its first letters. */
  readonly #sorted = new Map<number, Buffer[]>()
  /** Which keys there may be: most places of a text are left after one look. */
  readonly #keys = new Uint8Array(KEYS)

  get isFull(): boolean {
    return this.#texts.size >= MOST_IN_GENERATION || this.#letters >= MOST_LETTERS
  }
  get isEmpty(): boolean {
    return this.#texts.size === 0
  }

  has(text: string): boolean {
    return this.#texts.has(text)
  }

  add(text: string): void {
    this.#texts.add(text)
    this.#letters += text.length
    this.#unsorted.push(text)
  }

  /** Places in a spelling where a secret stands. `isCut`: one that begins before the end may go on behind it. */
  find({ bytes, start, end }: Spelling, isCut: boolean, found: Span[]): void {
    this.#sort()
    for (let at = 0; at + LEAST_LETTERS <= bytes.length; at++) {
      const key = keyOf(bytes, at)
      if (this.#keys[key % KEYS] === 0) continue
      for (const secret of this.#sorted.get(key) ?? []) {
        const rest = bytes.length - at
        const length = isCut ? Math.min(secret.length, rest) : secret.length
        if (length > rest || bytes.compare(secret, 0, length, at, at + length) !== 0) continue
        found.push([start(at), end(at + length - 1)])
      }
    }
  }

  #sort(): void {
    for (const text of this.#unsorted) {
      for (const part of new Set(partsOf(text))) {
        const bytes = Buffer.from(part)
        const key = keyOf(bytes, 0)
        const others = this.#sorted.get(key)
        this.#keys[key % KEYS] = 1
        if (others) others.push(bytes)
        else this.#sorted.set(key, [bytes])
      }
    }
    this.#unsorted = []
  }
}

let young = new Generation()
let old = new Generation()

/** Remembers a secret, or the texts within one. */
export function remember(value: unknown): void {
  for (const text of textsIn(value)) {
    if (young.has(text) || !isTelling(text)) continue
    if (young.isFull) {
      old = young
      young = new Generation()
    }
    young.add(text)
  }
}

/** Forgets all of them: for a process that goes on as another. */
export function forgetAll(): void {
  young = new Generation()
  old = new Generation()
}

/** Where secrets stand in a text. @param isCut more stood behind its end: what may be the begin of one counts */
export function findKnown(text: string, isCut = false): Span[] {
  if (young.isEmpty || text.length < LEAST_LETTERS) return []
  const spans: Span[] = []
  for (const spelling of spellingsOf(text)) {
    young.find(spelling, isCut, spans)
    if (!old.isEmpty) old.find(spelling, isCut, spans)
  }
  return spans
}

const isTelling = (text: string) =>
  text.length >= LEAST_LETTERS && !PLAIN.has(text.toLowerCase().trim())

/** As it is; without the line end a file leaves; line by line, as stacks and protocols tear it. */
function partsOf(text: string): string[] {
  const trimmed = text.trim()
  const lines = trimmed.split(/\s*\n\s*/)
  const parts = lines.length > 1 ? lines.filter(({ length }) => length >= LEAST_LINE) : []
  return [text, ...(trimmed.length >= LEAST_LETTERS ? [trimmed] : []), ...parts]
}

const MOST_PARTS = 1_000

/** The texts and numbers of a value: all that could be read of it again. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  const texts: string[] = []
  const waiting: unknown[] = [value]
  for (let seen = 0; waiting.length > 0 && seen < MOST_PARTS; seen++) {
    const one = waiting.pop()
    if (typeof one === 'string') texts.push(one)
    else if (typeof one === 'number' || typeof one === 'bigint') texts.push(String(one))
    else if (one instanceof Uint8Array) texts.push(Buffer.from(one).toString())
    else if (one instanceof Map) waiting.push(...one.values())
    else if (one instanceof Set) waiting.push(...one)
    else if (typeof one === 'object' && one !== null) waiting.push(...Object.values(one))
  }
  return texts
}

/** The first six bytes as one number. */
function keyOf(bytes: Buffer, at: number): number {
  let key = 0
  for (let index = at; index < at + LEAST_LETTERS; index++) {
    key = (Math.imul(key, 31) + bytes[index]!) & 0x3fffffff
  }
  return key
}
