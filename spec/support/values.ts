// Values for the specs of the codec.
// Promise: `anyValue` draws from all that the codec keeps, and `same` sees every difference in it.
import { isDeepStrictEqual, toUSVString } from 'node:util'
import fc from 'fast-check'
import { decode, encode, Ref, type Sealer } from '../../lib/codec.ts'
import { EscapementError } from '../../lib/errors.ts'
import { Keyring } from '../../lib/keyring.ts'
import { secretOf } from '../../lib/secret.ts'
import { bare } from './bare.ts'
import { assert } from './suite.ts'

export { bare }

const NOW_MS = Date.UTC(2026, 0, 1)
const ring = Keyring.parse(Keyring.generate())
/** Seals with a key that lives as long as the process. */
export const sealer: Sealer = {
  seal: (text) => ring.seal('fields', text, NOW_MS),
  open: (sealed) => ring.open('fields', sealed, NOW_MS),
}

/** To JSON, to text, and all the way back. */
export const through = (value: unknown) =>
  decode(JSON.parse(JSON.stringify(encode(value, sealer))), sealer)

export const same = (left: unknown, right: unknown) => isDeepStrictEqual(bare(left), bare(right))

/** The message an act is refused with. */
export function refusal(act: () => unknown, code: 'VALUE_NOT_STORABLE' | 'VALUE_CORRUPT'): string {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof EscapementError, `a fault, not ${error}`)
    assert.is(error.code, code)
    return error.message
  }
  throw new Error('it was accepted')
}

export const notStorable = (value: unknown, message: RegExp | string, by?: Sealer) =>
  assert.match(
    refusal(() => encode(value, by), 'VALUE_NOT_STORABLE'),
    message,
  )
export const corrupt = (json: unknown, message: RegExp | string = '') =>
  assert.match(
    refusal(() => decode(json, sealer), 'VALUE_CORRUPT'),
    message,
  )

export const FORBIDDEN = ['__proto__', 'constructor', 'prototype']
const text = () =>
  fc
    .oneof(
      fc.string({ unit: 'grapheme', maxLength: 8 }),
      fc.string({ unit: 'binary', maxLength: 8 }),
    )
    .filter((text) => toUSVString(text) === text && !text.includes('\0'))
const key = () =>
  fc
    .oneof(
      { weight: 4, arbitrary: text() },
      {
        weight: 1,
        arbitrary: fc.constantFrom('$', '$date', '$object', '$map', '$own', '7', 'toJSON'),
      },
    )
    .filter((key) => !FORBIDDEN.includes(key))

/** Anything the codec keeps, nested up to four levels. */
export const { value: anyValue } = fc.letrec<{ value: unknown; leaf: unknown }>((tie) => ({
  leaf: fc.oneof(
    text(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.constantFrom(null, true, false, undefined, -0, 0),
    fc.bigInt(),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array({ maxLength: 6 }),
    fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
    fc
      .tuple(fc.constantFrom('resource' as const, 'task' as const), text(), text())
      .map(([kind, type, id]) => new Ref(kind, type, id)),
  ),
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    tie('leaf'),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key(), tie('value'), { maxKeys: 4, noNullPrototype: true }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
    fc.array(tie('value'), { maxLength: 3 }).map((items) => new Set(items)),
    tie('value').map((value) => secretOf(value)),
  ),
}))
