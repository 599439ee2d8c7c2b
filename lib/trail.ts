// What both directions of the codec share: the words, and a trail through nested data.
// Promise: a trail always knows where it is, never goes round in circles, and reports there whatever
// goes wrong. It keeps two short arrays and nothing per value, so plain data costs little.
import { toUSVString } from 'node:util'
import { asError, isFault } from './errors.ts'

/** What JSON can say. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** Hides and shows the text of secrets. */
export interface Sealer {
  seal(text: string): string
  open(sealed: string): string
}

/** A reference to a resource or a task: its identity and nothing of its state. */
export class Ref {
  readonly kind: 'resource' | 'task'
  readonly type: string
  readonly id: string

  constructor(kind: 'resource' | 'task', type: string, id: string) {
    this.kind = kind
    this.type = type
    this.id = id
  }
}

/** How deep arrays, objects, maps, sets and secrets may be nested. */
const MOST_LEVELS = 64
const DOLLAR = 36

/** Can a database keep this text? PostgreSQL takes no NUL, and UTF-8 has no lone surrogates. */
export const isText = (text: string) => toUSVString(text) === text && !text.includes('\0')

/** Keys through which a careless merge would change every object of the process. */
export const isForbidden = (key: string) =>
  key === '__proto__' || key === 'constructor' || key === 'prototype'

/** Does this key look like one of the codec's tags? */
export const isTag = (key: string) => key.charCodeAt(0) === DOLLAR

/** The way through one value. Ends with the first refusal; made anew for each value. */
export abstract class Trail {
  readonly sealer: Sealer | undefined
  /** The containers on the way here, and the key taken in each. */
  readonly #holders: unknown[] = []
  readonly #keys: (string | number | undefined)[] = []
  #depth = 0

  constructor(sealer: Sealer | undefined) {
    this.sealer = sealer
  }

  /** The error that says what is wrong with the value at `path`. */
  abstract refuse(reason: string): Error

  /** Goes into a container. */
  enter(holder: unknown): void {
    const depth = this.#depth
    for (let level = 0; level < depth; level++) {
      if (this.#holders[level] === holder) throw this.refuse('it contains itself')
    }
    if (depth === MOST_LEVELS)
      throw this.refuse(`it is nested more than ${MOST_LEVELS} levels deep`)
    this.#holders[depth] = holder
    this.#keys[depth] = undefined
    this.#depth = depth + 1
  }

  /** Turns to one place in the container. */
  at(key: string | number): void {
    this.#keys[this.#depth - 1] = key
  }

  /** Comes out of the container. */
  leave(): void {
    this.#depth--
  }

  /** Where we are, as JSONPath writes it. */
  get path(): string {
    return `$${this.#keys.slice(0, this.#depth).map(stepOf).join('')}`
  }

  /** Reads, and reports at its path whatever a getter, a proxy or a broken object throws. */
  guarded<T>(read: () => T): T {
    try {
      return read()
    } catch (thrown) {
      if (isFault(thrown)) throw thrown
      throw this.refuse(`reading it failed: ${asError(thrown).message.slice(0, 200)}`)
    }
  }
}

function stepOf(key: string | number | undefined): string {
  if (key === undefined) return ''
  if (typeof key === 'number') return `[${key}]`
  const short = key.length > 60 ? `${key.slice(0, 60)}…` : key
  return /^\w+$/.test(short) ? `.${short}` : `[${JSON.stringify(short)}]`
}
