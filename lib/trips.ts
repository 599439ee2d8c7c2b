// Trips to the database: what many ask goes together, and bad data costs only whoever brought it.
import { isOfTheData } from './aftermath.ts'
import { Coalescer } from './coalescer.ts'

/** The most of one trip, and how many trips of a kind are under way at once. */
const MOST_TOGETHER = 200
const TRIPS = 2

/** @param trip answers questions in their order */
export function coalesced<Question, Answer>(
  trip: (questions: readonly Question[]) => Promise<readonly Answer[]>,
) {
  return new Coalescer({ trip, most: MOST_TOGETHER, trips: TRIPS, isPersonal: isOfTheData })
}
