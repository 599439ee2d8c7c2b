// One seed, one order.
// Promise: the same seed and the same items give the same order on every machine.
import { createHash, randomInt } from 'node:crypto'

/** A fresh seed, short enough to be typed again. */
export const freshSeed = (): number => randomInt(1, 1_000_000)

/**
 * The items in an order that follows from the seed and the items' names alone: each is ranked by a
 * hash, so adding an item does not disturb the order of the others.
 */
export function shuffled<T>(items: readonly T[], seed: number, nameOf: (item: T) => string): T[] {
  const rank = (item: T) =>
    createHash('sha256')
      .update(`${seed}/${nameOf(item)}`)
      .digest('hex')
  return items
    .map((item) => ({ item, rank: rank(item) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0))
    .map(({ item }) => item)
}
