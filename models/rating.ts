// The rating of a breaker: how much may fail before it shuts, checked when the app loads.
// Promise: an option that means nothing is refused with its name; what is left out has a default.
import { type Duration, toMs } from '../lib/duration.ts'
import { asError, fault } from '../lib/errors.ts'
import type { BreakerPolicy } from '../lib/hold.ts'

export interface BreakerOptions {
  /** It shuts when this part of all that ended has failed, from 0 (exclusive) to 1. Default 0.5. */
  readonly rate?: number
  /** Fewer than these say nothing. Default 10. */
  readonly least?: number
  /** How far back is counted, an hour at most. Default '1m'. */
  readonly within?: Duration
  /** How long it is shut at first; doubled each time its trial fails. Default '30s'. */
  readonly shut?: Duration
  /** The longest it is shut. Default '10m'. */
  readonly most?: Duration
}

const BY_DEFAULT = { rate: 0.5, least: 10, within: '1m', shut: '30s', most: '10m' }
const NAMES = Object.keys(BY_DEFAULT)
const MOST_WITHIN_MS = 3_600_000

/** @throws BREAKER_INVALID. @param where whose breaker it is, for the error */
export function ratingOf(options: BreakerOptions, where: string): BreakerPolicy {
  const refuse = (reason: string) => fault('BREAKER_INVALID', { where, reason })
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw refuse('it is no object of options')
  const strange = Object.keys(options).find((name) => !NAMES.includes(name))
  if (strange !== undefined) throw refuse(`"${strange}" is none of ${NAMES.join(', ')}`)
  const { rate, least, within, shut, most } = { ...BY_DEFAULT, ...options }
  if (typeof rate !== 'number' || !(rate > 0 && rate <= 1))
    throw refuse(`its rate ${rate} is not above 0 and up to 1`)
  if (!Number.isInteger(least) || least < 1 || least > 1_000_000)
    throw refuse(`its least ${least} is not a whole number from 1`)
  const [withinMs, shutMs, mostMs] = (['within', 'shut', 'most'] as const).map((name) => {
    const given = { within, shut, most: options.most ?? longer(most, shut) }[name]
    return timeOf(given, name, refuse)
  }) as [number, number, number]
  if (withinMs < 1_000 || withinMs > MOST_WITHIN_MS)
    throw refuse(`its within "${within}" is not from a second to an hour`)
  if (shutMs < 1) throw refuse('its shut is no time at all')
  if (mostMs < shutMs) throw refuse(`its most "${most}" is shorter than its shut "${shut}"`)
  return { rate, least, withinMs, shutMs, mostMs }
}

/** A long `shut` alone takes the longest with it. */
const longer = (most: Duration, shut: Duration): Duration => {
  try {
    return toMs(shut, '') > toMs(most, '') ? shut : most
  } catch {
    return most
  }
}

function timeOf(given: Duration, name: string, refuse: (reason: string) => Error): number {
  try {
    return toMs(given, `its ${name}`)
  } catch (thrown) {
    throw refuse(asError(thrown).message.replace(/\.$/, ''))
  }
}
