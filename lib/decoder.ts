// The codec's way out: JSON to the value it was made of.
// Promise: only what the encoder could have written is read; all else is refused, with its path.
// Plain data is answered as it is, the same reference.
import { Address } from './address.ts'
import { fault } from './errors.ts'
import { Secret } from './secret.ts'
import { isForbidden, isTag, Ref, Trail } from './trail.ts'

/** What each tag means. */
const READERS = new Map<string, (json: unknown, decoder: Decoder) => unknown>([
  ['$date', (json, decoder) => decoder.moment(json)],
  ['$map', (json, decoder) => decoder.map(json)],
  ['$set', (json, decoder) => decoder.set(json)],
  ['$bigint', (json, decoder) => decoder.bigint(json)],
  ['$number', (json, decoder) => decoder.only('-0', json, -0)],
  ['$undefined', (json, decoder) => decoder.only(true, json, undefined)],
  ['$bytes', (json, decoder) => Uint8Array.from(decoder.bytes(json))],
  ['$buffer', (json, decoder) => decoder.bytes(json)],
  ['$secret', (json, decoder) => decoder.secret(json)],
  ['$ref', (json, decoder) => decoder.ref(json)],
  ['$actor', (json, decoder) => decoder.actor(json)],
  ['$error', (json, decoder) => decoder.error(json)],
  ['$object', (json, decoder) => decoder.escaped(json)],
])

/** One decoding. */
export class Decoder extends Trail {
  refuse(reason: string): Error {
    return fault('VALUE_CORRUPT', { reason: `at ${this.path}, ${reason}` })
  }

  /** Parses and decodes. The parser's own message would quote the text, which may be secret. */
  text(text: string): unknown {
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch {
      throw this.refuse('it is not JSON')
    }
    return this.value(json)
  }

  value(json: unknown): unknown {
    if (typeof json === 'string' || typeof json === 'boolean' || json === null) return json
    if (typeof json === 'number' && Number.isFinite(json)) return json
    if (Array.isArray(json)) return this.#list(json)
    if (isPlain(json)) return this.#record(json)
    throw this.refuse('it is not JSON')
  }

  /** Only one text stands for a value; any other was not written here. */
  only<T>(expected: unknown, json: unknown, value: T): T {
    if (json !== expected) throw this.refuse('its tag holds something else')
    return value
  }

  moment(json: unknown): Date {
    const date = new Date(this.#string(json))
    return this.only(Number.isNaN(date.getTime()) ? null : date.toISOString(), json, date)
  }

  bigint(json: unknown): bigint {
    const digits = this.#string(json)
    if (!/^(0|-?[1-9]\d*)$/.test(digits)) throw this.refuse('it is not a whole number')
    return BigInt(digits)
  }

  bytes(json: unknown): Buffer {
    const bytes = Buffer.from(this.#string(json), 'base64')
    return this.only(bytes.toString('base64'), json, bytes)
  }

  map(json: unknown): Map<unknown, unknown> {
    const pairs = this.#pairs(json)
    return this.#distinct(new Map(pairs), pairs.length)
  }

  set(json: unknown): Set<unknown> {
    const items = this.#items(json, (item) => this.value(item))
    return this.#distinct(new Set(items), items.length)
  }

  escaped(json: unknown): Record<string, unknown> {
    const record: Record<string, unknown> = {}
    const pairs = this.#pairs(json)
    for (const [key, value] of pairs) record[this.#key(this.#string(key))] = value
    if (Object.keys(record).length !== pairs.length) throw this.refuse('it repeats a key')
    return record
  }

  secret(json: unknown): Secret<unknown> {
    if (this.sealer === undefined)
      throw this.refuse('it is a secret and there is no key to open it')
    const text = this.sealer.open(this.#string(json))
    this.enter(json)
    const value = this.text(text)
    this.leave()
    return new Secret(value)
  }

  ref(json: unknown): Ref {
    const { kind, type, id } = isPlain(json) ? json : {}
    if (kind !== 'resource' && kind !== 'task') throw this.refuse('it refers to nothing known')
    return new Ref(kind, this.#string(type), this.#string(id))
  }

  actor(json: unknown): Address {
    const [id, task, actor] = this.#items(json, (item) => item)
    return new Address(
      this.#string(id),
      this.#string(task),
      actor === null ? null : this.#string(actor),
    )
  }

  /** An error is told by its name, message and code; its class and its stack stay where it was thrown. */
  error(json: unknown): Error {
    const { name, message, code } = isPlain(json) ? json : {}
    const error = Object.assign(
      new Error(this.#string(message)),
      code !== undefined && { code: this.#string(code) },
    )
    Object.defineProperty(error, 'name', {
      value: this.#string(name),
      configurable: true,
      writable: true,
    })
    Object.defineProperty(error, 'stack', {
      value: `${error.name}: ${error.message}`,
      configurable: true,
      writable: true,
    })
    return error
  }

  #list(list: unknown[]): unknown[] {
    this.enter(list)
    let copy: unknown[] | undefined
    for (let index = 0; index < list.length; index++) {
      this.at(index)
      const value = this.value(list[index])
      if (copy === undefined && value !== list[index]) copy = list.slice(0, index)
      copy?.push(value)
    }
    this.leave()
    return copy ?? list
  }

  #record(record: Record<string, unknown>): unknown {
    const keys = Object.keys(record)
    if (keys.some(isTag)) return this.#tagged(record, keys)
    this.enter(record)
    let copy: Record<string, unknown> | undefined
    for (const key of keys) {
      this.at(key)
      const value = this.value(record[this.#key(key)])
      if (copy === undefined && value !== record[key]) copy = { ...record }
      if (copy !== undefined) copy[key] = value
    }
    this.leave()
    return copy ?? record
  }

  #tagged(record: Record<string, unknown>, keys: string[]): unknown {
    const read = keys.length === 1 ? READERS.get(keys[0]!) : undefined
    if (read === undefined) throw this.refuse('it has a tag that is not known here')
    return read(record[keys[0]!], this)
  }

  #items<T>(json: unknown, read: (item: unknown) => T): T[] {
    if (!Array.isArray(json)) throw this.refuse('its tag holds no list')
    this.enter(json)
    const items = json.map((item, index) => {
      this.at(index)
      return read(item)
    })
    this.leave()
    return items
  }

  #pairs(json: unknown): [unknown, unknown][] {
    return this.#items(json, (pair) => {
      if (!Array.isArray(pair) || pair.length !== 2) throw this.refuse('it is not a pair')
      return [this.value(pair[0]), this.value(pair[1])]
    })
  }

  #distinct<T extends { size: number }>(collection: T, size: number): T {
    if (collection.size !== size) throw this.refuse('it repeats a key')
    return collection
  }

  #key(key: string): string {
    if (isForbidden(key)) throw this.refuse(`the key "${key}" is forbidden`)
    return key
  }

  #string(json: unknown): string {
    if (typeof json !== 'string') throw this.refuse('its tag holds no text')
    return json
  }
}

const isPlain = (json: unknown): json is Record<string, unknown> =>
  typeof json === 'object' && json !== null && Object.getPrototypeOf(json) === Object.prototype
