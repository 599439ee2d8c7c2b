// The boarding: places of one look of a clock given out queue by queue, while there are too few somewhere.
// Promise: cost follows what is taken, and how many shares have anything at all to wait for, however much is due on a
// queue that is full; each queue is given no more than it has room for.
import type { Berth } from './contract.ts'
import type { Runner } from './database.ts'
import type { Dealer } from './dealer.ts'
import type { Routing } from './routes.ts'
import { kindOf } from './share.ts'
import type { Taking } from './taking.ts'

/** The newest entries of one look, where there are more than it may take. */
export const MOST_NEWEST = 100

export interface Boarding extends Taking {
  readonly runner: Runner
  readonly nowMs: number
  /** What fell due since then is on time. */
  readonly onTimeSince: number
  readonly dealer: Dealer
  readonly routing: Routing
  /** The queues that are given something. */
  readonly open: readonly Berth[]
}

/** Gives out what each queue has room for. @returns is more left for one that had room? */
export async function board(boarding: Boarding): Promise<boolean> {
  const { runner, nowMs, onTimeSince, dealer, routing, open, rows, look, take } = boarding
  const lanes = await dealer.lanes(runner, nowMs)
  let isLeft = false
  for (const { queue, places, isFull } of open) {
    const newest = isFull ? MOST_NEWEST : Math.min(MOST_NEWEST, Math.floor(places / 4))
    const before = rows.length
    if (!isFull) {
      const ours = lanes.filter(({ share }) => routing.queueOf(kindOf(share)) === queue)
      const deal = (some: string) => look('dealt', places, [some])
      rows.push(...(await dealer.deal(ours, places - newest, deal, queue)))
      if (rows.length - before < places - newest) continue
      isLeft = true
    }
    const since = isFull ? onTimeSince : 0
    await take('newest of', rows.length + newest, [since, ...kindsOn(queue, routing)])
  }
  return isLeft
}

/** The kinds on a queue, as a list of those that are, or that are not: on the house's are all that nobody here knows. */
function kindsOn(queue: string, routing: Routing): [kinds: string[], isListed: boolean] {
  if (queue !== routing.byDefault) return [[...routing.kindsOf(queue)], true]
  const others = routing.names.filter((name) => name !== queue)
  return [others.flatMap((name) => routing.kindsOf(name)), false]
}
