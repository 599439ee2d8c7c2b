// PostgreSQL's wire protocol, version 3: the few messages that must be read or written so that many
// clients can share one session.
// Promise: bytes come out as whole messages however they arrive; what is not understood here is
// passed on unchanged.
// Source: PostgreSQL 18 documentation, chapter "Frontend/Backend Protocol".

/** One message. Its type is a letter, or '' for the untyped ones that open a connection. */
export interface Message {
  readonly type: string
  readonly bytes: Buffer
}

/** Is a session between transactions, in one, or in a failed one? As ReadyForQuery says it. */
export type Status = 'I' | 'T' | 'E'

/** Codes an untyped message may carry instead of a protocol version. */
export const SSL_REQUEST = 80_877_103
export const GSS_REQUEST = 80_877_104
export const CANCEL_REQUEST = 80_877_102

/** Cuts a stream of bytes into messages. */
export class Cutter {
  /** Do messages carry a type by now? */
  typed: boolean
  #rest: Buffer = Buffer.alloc(0)

  constructor(typed: boolean) {
    this.typed = typed
  }

  /**
   * The messages that are whole with this chunk.
   * @throws RangeError when a length makes no sense; nothing can be read after that
   */
  *cut(chunk: Buffer): Generator<Message> {
    let bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    for (;;) {
      const head = this.typed ? 1 : 0
      if (bytes.length < head + 4) break
      const length = bytes.readInt32BE(head)
      if (length < 4) throw new RangeError(`a message of ${length} bytes`)
      if (bytes.length < head + length) break
      const type = this.typed ? String.fromCharCode(bytes[0]!) : ''
      yield { type, bytes: bytes.subarray(0, head + length) }
      bytes = bytes.subarray(head + length)
    }
    this.#rest = bytes
  }
}

/** The messages in an answer of the server. */
export const messagesIn = (bytes: Buffer): Generator<Message> => new Cutter(true).cut(bytes)

/** A typed message of these parts; text gets the zero byte that ends it. */
export function message(type: string, ...parts: readonly (string | Buffer)[]): Buffer {
  const body = parts.map((part) => (typeof part === 'string' ? Buffer.from(`${part}\0`) : part))
  const head = Buffer.alloc(5, type, 'latin1')
  head.writeInt32BE(4 + body.reduce((sum, { length }) => sum + length, 0), 1)
  return Buffer.concat([head, ...body])
}

export const query = (sql: string): Buffer => message('Q', sql)
export const closeStatement = (name: string): Buffer => message('C', Buffer.from('S'), name)
export const ready = (status: Status): Buffer => message('Z', Buffer.from(status))
export const SYNC = message('S')

/** The numbers by which a client could ask to cancel; nothing here can be cancelled. */
export function keyData(id: number): Buffer {
  const body = Buffer.alloc(8)
  body.writeInt32BE(id)
  return message('K', body)
}

export interface Complaint {
  readonly severity: 'ERROR' | 'FATAL'
  /** SQLSTATE */
  readonly code: string
  readonly text: string
  readonly hint?: string
}

/** An ErrorResponse. */
export function complaint({ severity, code, text, hint }: Complaint): Buffer {
  const fields = { S: severity, V: severity, C: code, M: text, ...(hint && { H: hint }) }
  const parts = Object.entries(fields).map(([key, value]) => `${key}${value}`)
  return message('E', ...parts, Buffer.alloc(1))
}

/** What a server says that ends, if it had the time to say something. */
export function lastWordsIn(answer: Buffer): string | undefined {
  const errors = [...messagesIn(answer)].filter(({ type }) => type === 'E')
  const fields = errors.map(({ bytes }) => bytes.toString('utf8', 5).split('\0'))
  const last = fields.find(([severity]) => severity === 'SFATAL' || severity === 'SPANIC')
  return last?.find((field) => field.startsWith('M'))?.slice(1)
}

/** The text that starts at this place of a message and ends at its next zero byte. */
export function textAt({ bytes }: Message, start: number): string {
  const end = bytes.indexOf(0, start)
  return bytes.toString('utf8', start, end < 0 ? bytes.length : end)
}

/** The pairs of texts from this place on: start-up parameters, parameter status. */
export function pairsFrom(message: Message, start: number): Map<string, string> {
  const texts = message.bytes.toString('utf8', start).split('\0')
  const pairs = new Map<string, string>()
  for (let i = 0; texts[i]; i += 2) pairs.set(texts[i]!, texts[i + 1] ?? '')
  return pairs
}

/** The columns of a DataRow, as text. */
export function columnsOf({ bytes }: Message): string[] {
  let at = 7
  return Array.from({ length: bytes.readInt16BE(5) }, () => {
    const length = Math.max(bytes.readInt32BE(at), 0)
    at += 4 + length
    return bytes.toString('utf8', at - length, at)
  })
}

/** Where the name of a prepared statement begins in a message, or null when it names none. */
function statementAt({ type, bytes }: Message): number | null {
  if (type === 'P') return 5
  if (type === 'B') return bytes.indexOf(0, 5) + 1
  if (type === 'D' || type === 'C') return bytes[5] === 0x53 ? 6 : null
  return null
}

/** The name of the prepared statement a message is about; '' for the unnamed one and for none. */
export function statementOf(message: Message): string {
  const start = statementAt(message)
  return start === null ? '' : textAt(message, start)
}

/** The same message about a statement of another name. */
export function renamed(original: Message, name: string): Buffer {
  const start = statementAt(original)!
  const { type, bytes } = original
  return message(type, bytes.subarray(5, start), name, bytes.subarray(bytes.indexOf(0, start) + 1))
}
