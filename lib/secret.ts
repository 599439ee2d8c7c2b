// A value that shows itself to nobody who did not ask.
// Promise: whatever prints, logs, joins or serialises a Secret prints "[secret]"; only `reveal()`
// gives the value. What was ever held in one is masked wherever an error's words are kept or shown.
import { createHash, timingSafeEqual } from 'node:crypto'
import { inspect, isDeepStrictEqual } from 'node:util'
import { remember } from './known.ts'

const MASK = '[secret]'

/** Holds one value out of sight. Unchangeable, so it can be shared freely. */
export class Secret<T = string> {
  readonly #value: T

  /** @param value plain data: text, or anything the codec keeps */
  constructor(value: T) {
    this.#value = value
    remember(value)
  }

  /** The value itself. Call it where the value is used, and keep the answer nowhere. */
  reveal(): T {
    return this.#value
  }

  toString(): string {
    return MASK
  }

  toJSON(): string {
    return MASK
  }

  [inspect.custom](): string {
    return MASK
  }
}

/**
 * Hides a value; what is already hidden stays as it is.
 * @param value the value, or a Secret that holds it
 */
export function secretOf<T>(value: T | Secret<T>): Secret<T> {
  return value instanceof Secret ? value : new Secret(value)
}

/**
 * Do two secrets hold the same value? Ask this, never a deep comparison: to one that reads
 * properties, all Secrets look alike. The time taken tells nothing about where two texts differ.
 */
export function sameSecret(left: Secret<unknown>, right: Secret<unknown>): boolean {
  const [one, other] = [left.reveal(), right.reveal()]
  if (typeof one === 'string' && typeof other === 'string') {
    return timingSafeEqual(digest(one), digest(other))
  }
  return isDeepStrictEqual(one, other)
}

/** Two digests are equally long, which `timingSafeEqual` demands. UTF-16 keeps every text apart. */
const digest = (text: string) => createHash('sha256').update(text, 'utf16le').digest()
