// Recent: what was settled here a while ago, and when it was looked at.
// Promise: a ticket from before that look has nothing to say any more; it is kept in mind for so many resources, the
// latest, and who is forgotten is only looked at once more.

/** Of so many resources the last settlement is known. */
const MOST_KEPT = 10_000
/** Clocks of processes follow the database's, and may be so far apart: what is not surely older is worked. */
const SKEW_MS = 500

export class Recent {
  readonly #lookedAt = new Map<string, number>()

  /** Nothing of this resource was left due. @param lookedAt when what was due was read, in milliseconds since 1970 */
  settled(resourceId: string, lookedAt: number): void {
    this.#lookedAt.delete(resourceId)
    this.#lookedAt.set(resourceId, lookedAt)
    if (this.#lookedAt.size <= MOST_KEPT) return
    for (const [oldest] of this.#lookedAt) {
      this.#lookedAt.delete(oldest)
      break
    }
  }

  /** Was whatever made somebody write this ticket seen since? @param issuedAt when it was written; unknown of one that never travelled */
  covers(resourceId: string, issuedAt: number | undefined): boolean {
    if (issuedAt === undefined) return false
    const lookedAt = this.#lookedAt.get(resourceId)
    return lookedAt !== undefined && issuedAt + SKEW_MS < lookedAt
  }
}
