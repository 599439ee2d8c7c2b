// An excerpt of whatever an error was about: plain data, small enough for any row, safe for any database.
// Promise: never throws and ends for every value; secrets in it are masked; what is left out is said to be.
import { isSecretName, MASK, masked } from './mask.ts'
import { Secret } from './secret.ts'
import { storable } from './text.ts'
import type { Json } from './trail.ts'

const MOST_LEVELS = 6
const MOST_PARTS = 300
const MOST_WIDE = 50
const MOST_TEXT = 1_000
const MOST_BYTES = 16_384

/** @returns null for nothing, or for what takes more than a row is to hold */
export function excerptOf(value: unknown): Json {
  if (value === undefined || value === null) return null
  const excerpt = new Excerpt().of(value, 0)
  const isEmpty = typeof excerpt === 'object' && excerpt && Object.keys(excerpt).length === 0
  if (isEmpty) return null
  return Buffer.byteLength(JSON.stringify(excerpt)) <= MOST_BYTES ? excerpt : '[too large]'
}

class Excerpt {
  readonly #way = new Set<object>()
  #parts = 0

  of(value: unknown, depth: number): Json {
    this.#parts += 1
    if (this.#parts > MOST_PARTS) return '[more]'
    switch (typeof value) {
      case 'string':
        return storable(value, MOST_TEXT)
      case 'boolean':
        return value
      case 'number':
        return masked(String(value)) === String(value) && Number.isFinite(value)
          ? value
          : masked(String(value))
      case 'bigint':
        return masked(String(value))
      case 'object':
        return value === null ? null : this.#within(value, depth)
      default:
        return `[${typeof value}]`
    }
  }

  #within(value: object, depth: number): Json {
    if (value instanceof Secret) return MASK
    if (this.#way.has(value)) return '[circular]'
    if (depth === MOST_LEVELS) return '[deeper]'
    this.#way.add(value)
    try {
      return this.#object(value, depth + 1)
    } catch {
      return '[unreadable]'
    } finally {
      this.#way.delete(value)
    }
  }

  #object(value: object, depth: number): Json {
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
    if (value instanceof Error) return storable(`${value.name}: ${value.message}`, MOST_TEXT)
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
    if (Array.isArray(value) || value instanceof Set) return this.#list([...value], depth)
    if (value instanceof Map) {
      return this.#list([...value].slice(0, MOST_WIDE), depth)
    }
    const { toJSON } = value as { toJSON?: unknown }
    if (typeof toJSON === 'function') return this.of(toJSON.call(value), depth)
    return this.#record(value, depth)
  }

  #list(list: readonly unknown[], depth: number): Json[] {
    const kept = list.slice(0, MOST_WIDE).map((one) => this.of(one, depth))
    return list.length > kept.length ? [...kept, `[${list.length - kept.length} more]`] : kept
  }

  #record(record: object, depth: number): Json {
    const kept: Record<string, Json> = {}
    for (const name of Object.keys(record).slice(0, MOST_WIDE)) {
      if (name === '__proto__') continue
      const value: unknown = Reflect.get(record, name)
      if (value === undefined) continue
      const isHidden = isSecretName(name) && value !== null && typeof value !== 'boolean'
      kept[storable(name, MOST_TEXT)] = isHidden ? MASK : this.of(value, depth)
    }
    return kept
  }
}
