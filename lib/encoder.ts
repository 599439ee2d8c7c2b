// The codec's way in: a value to JSON.
// Promise: what JSON can say is answered as it is, the same reference; what it cannot say gets a
// tag; what would not come back equal is refused where it stands. On the way it adds up what the text
// can take at most, so that small values need not be written out to be measured.
import { Address } from './address.ts'
import { encodeError } from './error-record.ts'
import { fault } from './errors.ts'
import { Secret } from './secret.ts'
import { isForbidden, isTag, isText, type Json, Ref, Trail } from './trail.ts'

type Writer = (value: any, encoder: Encoder) => Json
type PlainObject = Record<string, unknown>

/** The classes the codec keeps, by prototype: a subclass is another class and would be lost. */
const WRITERS = new Map<unknown, Writer>([
  [Date.prototype, (date: Date, encoder) => ({ $date: encoder.moment(date) })],
  [Map.prototype, (map: Map<unknown, unknown>, encoder) => ({ $map: encoder.pairs(map) })],
  [Set.prototype, (set: Set<unknown>, encoder) => ({ $set: encoder.items(set) })],
  [
    Uint8Array.prototype,
    (bytes: Uint8Array, encoder) => ({
      $bytes: encoder.text(Buffer.from(bytes).toString('base64')),
    }),
  ],
  [
    Buffer.prototype,
    (bytes: Buffer, encoder) => ({ $buffer: encoder.text(bytes.toString('base64')) }),
  ],
  [Secret.prototype, (secret: Secret<unknown>, encoder) => ({ $secret: encoder.sealed(secret) })],
  [Ref.prototype, (ref: Ref, encoder) => ({ $ref: encoder.identity(ref) })],
  [
    Address.prototype,
    ({ id, task, actor }: Address, encoder) => ({ $actor: encoder.items([id, task, actor]) }),
  ],
])

/** The most bytes a letter takes in JSON: `\\u001f`. Any other is at most three of UTF-8. */
const LETTER_BYTES = 6
/** More than any number, moment, tag or pair of brackets takes, with its comma. */
const WORD_BYTES = 64

/** One encoding. */
export class Encoder extends Trail {
  /** The text takes no more bytes than this. */
  mostBytes = 0

  refuse(reason: string): Error {
    return fault('VALUE_NOT_STORABLE', { path: this.path, reason })
  }

  value(value: unknown): Json {
    this.mostBytes += WORD_BYTES
    switch (typeof value) {
      case 'string':
        return this.text(value)
      case 'number':
        return this.number(value)
      case 'boolean':
        return value
      case 'object':
        return value === null ? null : this.#object(value)
      case 'bigint':
        return { $bigint: this.text(String(value)) }
      case 'undefined':
        return { $undefined: true }
      default:
        throw this.refuse(`it is a ${typeof value}`)
    }
  }

  text(text: string): string {
    this.mostBytes += WORD_BYTES + text.length * LETTER_BYTES
    if (isText(text)) return text
    throw this.refuse('it is text with a NUL or half a surrogate pair, which no database keeps')
  }

  number(number: number): Json {
    if (!Number.isFinite(number)) throw this.refuse(`it is ${number}`)
    return Object.is(number, -0) ? { $number: '-0' } : number
  }

  moment(date: Date): string {
    if (Number.isNaN(date.getTime())) throw this.refuse('it is an invalid date')
    return date.toISOString()
  }

  pairs(map: Map<unknown, unknown>): Json[] {
    return this.items(map, ([key, value]) => [this.value(key), this.value(value)])
  }

  items<T>(items: Iterable<T>, write = (item: T): Json => this.value(item)): Json[] {
    this.enter(items)
    const list: Json[] = []
    for (const item of items) {
      this.at(list.length)
      list.push(write(item))
    }
    this.leave()
    return list
  }

  sealed(secret: Secret<unknown>): string {
    if (this.sealer === undefined)
      throw this.refuse('it is a secret and there is no key to seal it')
    this.enter(secret)
    const json = this.value(secret.reveal())
    this.leave()
    return this.text(this.sealer.seal(JSON.stringify(json)))
  }

  identity({ kind, type, id }: Ref): Json {
    return { kind: this.text(kind), type: this.text(type), id: this.text(id) }
  }

  #object(value: object): Json {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null)
      return this.#record(value as PlainObject)
    if (prototype === Array.prototype && Array.isArray(value)) return this.#list(value)
    const writer = WRITERS.get(prototype)
    if (writer !== undefined) return writer(value, this)
    if (value instanceof Error) {
      const $error = encodeError(value, { stack: false })
      this.mostBytes += JSON.stringify($error).length * LETTER_BYTES
      return { $error }
    }
    throw this.refuse(`it is ${classOf(prototype)}`)
  }

  #list(list: unknown[]): Json[] {
    this.enter(list)
    let copy: Json[] | undefined
    for (let index = 0; index < list.length; index++) {
      this.at(index)
      const item = list[index]
      if (item === undefined && !(index in list)) throw this.refuse('it is a hole in an array')
      const json = this.value(item)
      if (copy === undefined && json !== item) copy = list.slice(0, index) as Json[]
      copy?.push(json)
    }
    this.leave()
    return copy ?? (list as Json[])
  }

  #record(record: PlainObject): Json {
    const keys = Object.keys(record)
    for (const key of keys) if (isTag(key)) return { $object: this.#escaped(record, keys) }
    this.#enterRecord(record)
    let copy: Record<string, Json> | undefined
    for (let index = 0; index < keys.length; index++) {
      const key = this.#key(keys[index]!)
      const value = record[key]
      const json = value === undefined ? undefined : this.value(value)
      if (copy === undefined && (json !== value || value === undefined)) {
        copy = firstOf(record, keys, index)
      }
      if (copy !== undefined && json !== undefined) copy[key] = json
    }
    this.leave()
    return copy ?? (record as Record<string, Json>)
  }

  #escaped(record: PlainObject, keys: string[]): Json[] {
    this.#enterRecord(record)
    const pairs: Json[] = []
    for (const key of keys) {
      const value = record[this.#key(key)]
      if (value !== undefined) pairs.push([key, this.value(value)])
    }
    this.leave()
    return pairs
  }

  #enterRecord(record: PlainObject): void {
    if (Object.getOwnPropertySymbols(record).length > 0) {
      throw this.refuse('it has a symbol among its keys')
    }
    this.enter(record)
  }

  #key(key: string): string {
    this.at(key)
    this.mostBytes += WORD_BYTES + key.length * LETTER_BYTES
    if (isForbidden(key)) throw this.refuse('its key is forbidden')
    if (!isText(key)) throw this.refuse('its key has a NUL or half a surrogate pair')
    return key
  }
}

/** The part of a record that needed no change. */
function firstOf(record: PlainObject, keys: string[], count: number): Record<string, Json> {
  const copy: Record<string, Json> = {}
  for (let index = 0; index < count; index++) copy[keys[index]!] = record[keys[index]!] as Json
  return copy
}

function classOf(prototype: unknown): string {
  const type: unknown = Reflect.get(prototype as object, 'constructor')
  const name = typeof type === 'function' ? type.name.slice(0, 60) : ''
  return name === '' ? 'an instance of a class without a name' : `an instance of ${name}`
}
