// The spellings of a text: what stands in it once JSON escapes, percent signs, hex and base64 are undone.
// Promise: every byte of a spelling knows the letters it was read from; work is proportional to the text.

/** Bytes, and for each the part of the text it was read from: it is asked for few. */
export interface Spelling {
  readonly bytes: Buffer
  start(at: number): number
  /** The place behind its last letter. */
  end(at: number): number
}

/** A run of base64 holds six bytes at least. */
const LEAST_BASE64 = 8
const LEAST_HEX = 12

/** As it is; escaped once or twice; and in hex or base64 within those. */
export function* spellingsOf(text: string): Iterable<Spelling> {
  const plain = asWritten(text)
  const once = [unescaped(plain), unquoted(plain, false), unquoted(plain, true)]
  const twice = once.flatMap((one) => (one ? [unescaped(one), unquoted(one, false)] : []))
  for (const spelling of [plain, ...once, ...twice]) {
    if (!spelling) continue
    yield spelling
    yield* hexIn(spelling)
    yield* base64In(spelling)
  }
}

class Builder {
  readonly #bytes: number[] = []
  readonly #starts: number[] = []
  readonly #ends: number[] = []

  add(byte: number, start: number, end: number): void {
    this.#bytes.push(byte)
    this.#starts.push(start)
    this.#ends.push(end)
  }

  /** A letter that was spelled out takes as many bytes as UTF-8 needs. */
  letter(letter: string, start: number, end: number): void {
    for (const byte of Buffer.from(letter)) this.add(byte, start, end)
  }

  get spelling(): Spelling {
    const [starts, ends] = [this.#starts, this.#ends]
    return { bytes: Buffer.from(this.#bytes), start: (at) => starts[at]!, end: (at) => ends[at]! }
  }
}

function asWritten(text: string): Spelling {
  const bytes = Buffer.from(text)
  if (bytes.length === text.length) return { bytes, start: (at) => at, end: (at) => at + 1 }
  const builder = new Builder()
  let at = 0
  for (const letter of text) {
    const code = letter.charCodeAt(0)
    if (code < 128) builder.add(code, at, at + 1)
    else builder.letter(letter, at, at + letter.length)
    at += letter.length
  }
  return builder.spelling
}

const BACKSLASH = 92
const PERCENT = 37
const PLUS = 43
const SHORT: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' }

/** Without the backslashes of JSON and of JavaScript; null when there are none. */
function unescaped({ bytes, start, end }: Spelling): Spelling | null {
  if (!bytes.includes(BACKSLASH)) return null
  const builder = new Builder()
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== BACKSLASH || at + 1 === bytes.length) {
      builder.add(bytes[at]!, start(at), end(at))
      at += 1
      continue
    }
    const [letter, length] = escapeAt(bytes, at)
    builder.letter(letter, start(at), end(at + length - 1))
    at += length
  }
  return builder.spelling
}

const ESCAPE = /^\\(?:u([0-9a-f]{4})(?:\\u(d[c-f][0-9a-f]{2}))?|x([0-9a-f]{2}))/i

/** The letter that is written by an escape, and how many bytes the escape takes. */
function escapeAt(bytes: Buffer, at: number): [letter: string, length: number] {
  const found = ESCAPE.exec(bytes.toString('latin1', at, at + 12))
  if (!found) {
    const mark = String.fromCharCode(bytes[at + 1]!)
    // Half a letter of UTF-8 is no escape.
    return bytes[at + 1]! < 128 ? [SHORT[mark] ?? mark, 2] : ['\\', 1]
  }
  const [whole, unit, low, byte] = found
  const first = Number.parseInt(unit ?? byte ?? '', 16)
  const isPair = low !== undefined && first >= 0xd800 && first < 0xdc00
  const letter = String.fromCharCode(first, ...(isPair ? [Number.parseInt(low, 16)] : []))
  return [letter, low !== undefined && !isPair ? whole.length - 6 : whole.length]
}

/** Without percent signs, and in a form with spaces for plus signs; null when there are none. */
function unquoted({ bytes, start, end }: Spelling, isForm: boolean): Spelling | null {
  if (!bytes.includes(isForm ? PLUS : PERCENT)) return null
  const builder = new Builder()
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] === PERCENT ? hexAt(bytes, at + 1) : null
    const length = byte === null ? 1 : 3
    const other = isForm && bytes[at] === PLUS ? 32 : bytes[at]!
    builder.add(byte ?? other, start(at), end(at + length - 1))
    at += length
  }
  return builder.spelling
}

function hexAt(bytes: Buffer, at: number): number | null {
  const [high, low] = [HEX[bytes[at] ?? 0]!, HEX[bytes[at + 1] ?? 0]!]
  return high < 0 || low < 0 ? null : high * 16 + low
}

/** What each letter stands for, -1 for nothing. */
function tableOf(...alphabets: readonly string[]): Int8Array {
  const values = new Int8Array(256).fill(-1)
  for (const alphabet of alphabets) {
    for (let value = 0; value < alphabet.length; value++) values[alphabet.charCodeAt(value)] = value
  }
  return values
}
const HEX = tableOf('0123456789abcdef', '0123456789ABCDEF')
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const BASE64 = tableOf(`${LETTERS}+/`, `${LETTERS}-_`)

/** A dump of bytes has spaces or colons between them. */
const between = (...marks: string[]) => new Set(marks.map((mark) => mark.charCodeAt(0)))
const IN_HEX = between(' ', ':')
const IN_BASE64 = between('\n', '\r')

/** Runs of an alphabet, as places of their letters. */
function* runsOf(
  bytes: Buffer,
  alphabet: Int8Array,
  gaps: ReadonlySet<number>,
  least: number,
): Iterable<number[]> {
  let run: number[] = []
  for (let at = 0; at <= bytes.length; at++) {
    const byte = bytes[at]
    if (byte !== undefined && alphabet[byte]! >= 0) run.push(at)
    else if (byte === undefined || !gaps.has(byte)) {
      if (run.length >= least) yield run
      run = []
    }
  }
}

/** Nobody knows where in a run the first pair begins. */
function* hexIn({ bytes, start, end }: Spelling): Iterable<Spelling> {
  for (const run of runsOf(bytes, HEX, IN_HEX, LEAST_HEX)) {
    for (const first of [0, 1]) {
      const read = Buffer.allocUnsafe((run.length - first) >> 1)
      const at = (nth: number) => run[first + nth]!
      for (let nth = 0; nth < read.length; nth++) {
        read[nth] = HEX[bytes[at(nth * 2)]!]! * 16 + HEX[bytes[at(nth * 2 + 1)]!]!
      }
      yield { bytes: read, start: (nth) => start(at(nth * 2)), end: (nth) => end(at(nth * 2 + 1)) }
    }
  }
}

/** Four letters make three bytes; nobody knows where in a run the first four begin. */
function* base64In({ bytes, start, end }: Spelling): Iterable<Spelling> {
  for (const run of runsOf(bytes, BASE64, IN_BASE64, LEAST_BASE64)) {
    for (const first of [0, 1, 2, 3]) {
      const read = Buffer.allocUnsafe(Math.floor(((run.length - first) * 3) / 4))
      // Byte n begins in letter n of its four, and ends in the next.
      const at = (nth: number) => run[first + Math.floor(nth / 3) * 4 + (nth % 3)]!
      const next = (nth: number) => run[first + Math.floor(nth / 3) * 4 + (nth % 3) + 1]!
      for (let nth = 0; nth < read.length; nth++) {
        const bits = BASE64[bytes[at(nth)]!]! * 64 + BASE64[bytes[next(nth)]!]!
        read[nth] = bits >> (4 - (nth % 3) * 2)
      }
      yield { bytes: read, start: (nth) => start(at(nth)), end: (nth) => end(next(nth)) }
    }
  }
}
