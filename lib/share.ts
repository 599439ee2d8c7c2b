// The shares: how the places of one look are given out while more is due than it may take.
// Promise: pure; whoever has something due gets a place in proportion to its weight, nothing is left over while anybody
// waits, and what one look could not give is owed in the next.

/** The priority of a task that says nothing of it, and the last there is. */
export const ORDINARY = 5
export const LAST = 9

/** A share that has something due. */
export interface Sharer {
  /** A kind, or KIND/TENANT. */
  readonly share: string
  readonly weight: number
}

/** How places are weighed: by kind first, then among the tenants of each kind. 1 unless told. */
export type WeightOf = (share: string) => number

/** A minute of lateness counts as much as one step of priority, so that nobody is passed over for ever. */
export const AGE_MS = 60_000

/** Where an entry stands now that is so late. */
export const standing = (rank: number, lateMs: number): number =>
  Math.max(0, rank - Math.max(0, Math.floor(lateMs / AGE_MS)))

export const kindOf = (share: string): string => share.split('/', 1)[0] as string

/** The weight of each share: its kind's, divided among those of the kind that have something due. */
export function weighed(shares: readonly string[], weightOf: WeightOf): Sharer[] {
  const totals = new Map<string, number>()
  const own = (share: string) => (share.includes('/') ? weightOf(share) : 1)
  for (const share of shares)
    totals.set(kindOf(share), (totals.get(kindOf(share)) ?? 0) + own(share))
  return shares.map((share) => {
    const kind = kindOf(share)
    return { share, weight: (weightOf(kind) * own(share)) / (totals.get(kind) ?? 1) }
  })
}

/** What shares are owed from look to look. A debt is bounded by one place, and forgotten with what is not due any more. */
export class Debts {
  #owed = new Map<string, number>()

  /** Gives out places; parts of places are owed. @returns how many places each has, those without one left out */
  give(places: number, sharers: readonly Sharer[]): Map<string, number> {
    const total = sharers.reduce((sum, { weight }) => sum + weight, 0)
    const parts = sharers.map(({ share, weight }) => {
      const exact = (this.#owed.get(share) ?? 0) + (places * weight) / total
      return { share, exact, given: Math.max(0, Math.floor(exact)) }
    })
    let left = places - parts.reduce((sum, { given }) => sum + given, 0)
    // Those who are nearest to a whole place have it.
    const byNeed = [...parts].sort((a, b) => b.exact - b.given - (a.exact - a.given))
    for (const part of byNeed) {
      if (left <= 0) break
      part.given += 1
      left -= 1
    }
    this.#owed = new Map(parts.map(({ share, exact, given }) => [share, exact - given]))
    return new Map(parts.filter(({ given }) => given > 0).map(({ share, given }) => [share, given]))
  }
}
