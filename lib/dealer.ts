// The dealer: gives out the places of one look while more is due than it may take: to each share in proportion to its
// weight, within a share by priority, and among equals to the oldest.
// Promise: cost follows what is taken, and how many shares have anything at all to wait for; a share with much to do
// delays no other; what waits long enough is passed by nobody.
import type { Runner } from './database.ts'
import { AGE_MS, Debts, type WeightOf, weighed } from './share.ts'

/** Shares and ranks one look goes through; with more of them, the next look begins where this one ended. */
const MOST_LANES = 1_000
/** Places that a share leaves are given to others, so many times. */
const MOST_DEALS = 20

/** A share that has something due, and in which ranks. */
export interface Lanes {
  readonly share: string
  readonly ranks: number[]
}

/** Takes so many of each of these shares, as the statement in use does it. @returns the rows it touched */
export type TakeShares = (lanes: string) => Promise<readonly { share: string; is_held?: boolean }[]>

export class Dealer {
  readonly #weightOf: WeightOf
  /** By queue: what one has no room for is owed there. */
  readonly #debts = new Map<string, Debts>()
  #after: readonly [share: string, rank: number] = ['', -1]

  /** @param weightOf of a kind, or of a tenant among those of its kind */
  constructor(weightOf: WeightOf = () => 1) {
    this.#weightOf = weightOf
  }

  /**
   * Takes what has a place.
   * @param found the shares that have something due; none when what is due lies further on
   * @param places how many may be taken
   * @param queue whose places these are, where there are several
   * @returns the rows that were taken
   */
  async deal(
    found: readonly Lanes[],
    places: number,
    take: TakeShares,
    queue = '',
  ): Promise<any[]> {
    let lanes = found
    const debts = this.#debts.get(queue) ?? new Debts()
    this.#debts.set(queue, debts)
    const rows: any[] = []
    for (let deal = 0; deal < MOST_DEALS && lanes.length > 0 && rows.length < places; deal++) {
      const sharers = weighed(
        lanes.map(({ share }) => share),
        this.#weightOf,
      )
      const given = debts.give(places - rows.length, sharers)
      const asked = lanes.flatMap(({ share, ranks }) => {
        const most = given.get(share)
        return most === undefined ? [] : [{ share, ranks, most }]
      })
      const touched = await take(JSON.stringify(asked))
      rows.push(...touched.filter(({ is_held }) => !is_held))
      const counts = new Map<string, number>()
      for (const { share } of touched) counts.set(share, (counts.get(share) ?? 0) + 1)
      // Whoever had fewer than its places has nothing more.
      lanes = lanes.filter(({ share }) => (counts.get(share) ?? 0) >= (given.get(share) ?? 0))
    }
    return rows
  }

  /** Who has something due, so many a look. */
  async lanes(runner: Runner, nowMs: number): Promise<Lanes[]> {
    const { rows } = await runner.query(LANES, [nowMs, ...this.#after, MOST_LANES])
    const last = rows.at(-1)
    this.#after = rows.length < MOST_LANES ? ['', -1] : [last.share, last.rank]
    const found = new Map<string, number[]>()
    for (const { share, rank, is_due } of rows)
      if (is_due) found.set(share, [...(found.get(share) ?? []), rank])
    return [...found].map(([share, ranks]) => ({ share, ranks }))
  }
}

/** The first entry of each share and rank, one probe of the index for each, whatever lies between. */
const LANES = `
  WITH RECURSIVE lanes AS (
    (SELECT share, rank, look_at FROM dues WHERE look_at IS NOT NULL AND (share, rank) > ($2, $3::smallint)
     ORDER BY share, rank, look_at LIMIT 1)
    UNION ALL
    SELECT n.share, n.rank, n.look_at FROM lanes l, LATERAL (
      SELECT share, rank, look_at FROM dues WHERE look_at IS NOT NULL AND (share, rank) > (l.share, l.rank)
      ORDER BY share, rank, look_at LIMIT 1) n)
  SELECT share, rank, look_at <= to_timestamp($1 / 1000.0) AS is_due FROM lanes LIMIT $4`

/** $1: now, $4: shares with their ranks and places. */
export const DEALT = `picked AS (
    SELECT d.task_id, d.resource_id
    FROM json_to_recordset($4) AS s(share text, ranks smallint[], most integer), LATERAL (
      SELECT l.task_id, l.resource_id FROM unnest(s.ranks) AS k(rank), LATERAL (
        SELECT task_id, resource_id, rank, due_at FROM dues
        WHERE share = s.share AND rank = k.rank AND look_at <= to_timestamp($1 / 1000.0)
        ORDER BY look_at LIMIT s.most FOR UPDATE SKIP LOCKED) l
      ORDER BY greatest(0, l.rank - greatest(0, floor(($1 - extract(epoch FROM l.due_at) * 1000) / ${AGE_MS}))), l.due_at
      LIMIT s.most) d LIMIT $2)`
