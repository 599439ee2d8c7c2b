// Recent: what was settled here a while ago, and when it was looked at.
// Promise: a ticket from before that look has nothing to say any more; it is kept in mind for so many resources, the
// latest, and who is forgotten is only looked at once more.

/** Of so many resources, at least, the last settlement is known. */
const LEAST_KEPT = 10_000
/** Clocks of processes follow the database's, and may be so far apart: what is not surely older is worked. */
const SKEW_MS = 500

export class Recent {
  /** The latest, and those before them. A map that loses its oldest entries one by one looks past all their places. */
  #latest = new Map<string, number>()
  #before: ReadonlyMap<string, number> = new Map()

  /** Nothing of this resource was left due. @param lookedAt when what was due was read, in milliseconds since 1970 */
  settled(resourceId: string, lookedAt: number): void {
    if (this.#latest.size === LEAST_KEPT) {
      this.#before = this.#latest
      this.#latest = new Map()
    }
    this.#latest.set(resourceId, lookedAt)
  }

  /** Was whatever made somebody write this ticket seen since? @param issuedAt when it was written; unknown of one that never travelled */
  covers(resourceId: string, issuedAt: number | undefined): boolean {
    if (issuedAt === undefined) return false
    const lookedAt = this.#latest.get(resourceId) ?? this.#before.get(resourceId)
    return lookedAt !== undefined && issuedAt + SKEW_MS < lookedAt
  }
}
