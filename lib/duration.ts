// Durations as people write them: '30s', '2m', 1500. The only door to the `ms` package.
// Promise: a duration that is not one is refused with a sentence, never taken for zero.
import ms from 'ms'
import { fault } from './errors.ts'

/** Milliseconds, or a text such as '250ms', '5s', '2m', '1h', '7d'. */
export type Duration = number | string

/** A year: longer than any timer we mean, short enough for every timestamp. */
const MOST_MS = 366 * 24 * 3_600_000
const MOST_LETTERS = 50

/**
 * @param what the name of the setting, for the error
 * @param mostMs the longest that is taken; a year unless told
 * @returns milliseconds
 * @throws ARGUMENT_INVALID when it is negative, not finite, longer than that, or not a duration
 */
export function toMs(duration: Duration, what: string, mostMs = MOST_MS): number {
  const found = typeof duration === 'number' ? duration : inWords(duration)
  if (!Number.isFinite(found) || found < 0 || found > mostMs) {
    throw fault('ARGUMENT_INVALID', {
      what,
      reason: `"${duration}" is not a duration such as 500, '5s' or '2m'`,
    })
  }
  return found
}

/** `ms` throws errors of its own for what is empty, long or no text. */
function inWords(text: string): number {
  const isReadable = typeof text === 'string' && text !== '' && text.length <= MOST_LETTERS
  return isReadable ? ms(text as ms.StringValue) : Number.NaN
}

/** A range such as '1s..1m', as [first, last] in milliseconds. One duration alone is both. */
export function toRangeMs(range: Duration, what: string): [number, number] {
  const [first, last] = typeof range === 'string' ? range.split('..') : [range, range]
  return [toMs(first ?? '', what), toMs(last ?? first ?? '', what)]
}
