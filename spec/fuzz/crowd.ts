// A crowd of cases drawn from a seed, many at a time; the few that differ, shrunk.
// Promise: one seed, one crowd; every case counts as passed or failed, whatever goes wrong with it.
import fc from 'fast-check'
import { asError } from '../../lib/errors.ts'
import { SystemTime } from '../../lib/time.ts'
import { cases } from '../support/charts/draw.ts'
import type { Case, Features } from '../support/charts/shape.ts'
import { difference } from './compare.ts'
import type { Ground } from './ground.ts'
import { shrink } from './shrink.ts'

export interface CrowdOptions {
  readonly ground: Ground
  readonly features: Features
  readonly cases: number
  readonly seed: number
  /** How many live at once; their commits travel together. */
  readonly lanes: number
  readonly onPassed?: (count: number) => void
  readonly onFailed?: (failure: Failure) => void
}

/** A case that differed, and what in. */
export interface Failure {
  readonly drawn: Case
  readonly what: string
}

const time = new SystemTime()
/** So many cases are drawn at a time, each lot from a seed of its own. */
const LOT = 100
const seedOf = (seed: number, lot: number) => (seed * 100_003 + lot) | 0

/** Lives through all cases. @returns those that differ */
export async function crowd(options: CrowdOptions): Promise<Failure[]> {
  const { ground, lanes } = options
  const failures: Failure[] = []
  const drawn = draws(options)
  let passed = 0
  const lane = async () => {
    for (const one of drawn) {
      const what = await judged(ground, one)
      if (what === null) options.onPassed?.(++passed)
      else {
        failures.push({ drawn: one, what })
        options.onFailed?.({ drawn: one, what })
      }
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return failures
}

function* draws({ features, cases: count, seed }: CrowdOptions): Generator<Case> {
  const any = cases(features)
  for (let lot = 0; lot * LOT < count; lot++) {
    const numRuns = Math.min(LOT, count - lot * LOT)
    const drawn = fc.sample(any, { seed: seedOf(seed, lot), numRuns })
    for (const one of drawn) yield one
  }
}

/** The smallest case near this one that differs, as far as time allows. */
export async function smallest(
  ground: Ground,
  { drawn, what }: Failure,
  mostMs: number,
): Promise<Failure> {
  const startedAt = time.monotonic()
  const isLate = () => time.monotonic() - startedAt > mostMs
  // A chart that begins to throw instead is another matter.
  const isThrown = what.startsWith(THROWN)
  const differs = async (one: Case) => {
    const said = await judged(ground, one)
    return said !== null && said.startsWith(THROWN) === isThrown ? said : null
  }
  const small = await shrink(drawn, differs, isLate)
  return { drawn: small, what: (await judged(ground, small)) ?? what }
}

const THROWN = 'no answer: '

/** What differs, or what was thrown instead of an answer; null for a case that passed. */
export async function judged(ground: Ground, drawn: Case): Promise<string | null> {
  try {
    return await difference(ground, drawn)
  } catch (thrown) {
    return `${THROWN}${asError(thrown).stack}`
  }
}
