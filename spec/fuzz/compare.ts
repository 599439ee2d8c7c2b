// Two lives of one case, looked at side by side.
// Promise: the first difference is named: after which happening, in what, and what either side had.
import { inspect, isDeepStrictEqual } from 'node:util'
import { bare } from '../support/bare.ts'
import { lived, type Seen } from '../support/charts/live.ts'
import type { Case } from '../support/charts/shape.ts'
import type { Ground } from './ground.ts'
import { type Endured, endured } from './life.ts'

/** The first difference as a text, or null where there is none. */
export async function difference(ground: Ground, drawn: Case): Promise<string | null> {
  return between(drawn, await lived(drawn), await endured(ground, drawn))
}

/** The same of two lives already lived. */
export function between(
  drawn: Case,
  expected: readonly Seen[],
  { seen: actual, troubles }: Endured,
): string | null {
  for (const [index, one] of expected.entries()) {
    const parts = (Object.keys(one) as (keyof Seen)[]).filter(
      (part) => !isSame(actual[index]?.[part], one[part]),
    )
    if (parts.length === 0) continue
    const after = JSON.stringify(drawn.what.slice(0, index))
    const lines = parts.flatMap((part) => [
      `  ${part}`,
      `    xstate: ${show(one[part])}`,
      `    ours:   ${show(actual[index]?.[part])}`,
    ])
    return [`after ${after}`, ...lines, ...troubles].join('\n')
  }
  return null
}

/** Properties that are undefined are no data; no codec keeps them. */
const isSame = (one: unknown, other: unknown) =>
  isDeepStrictEqual(one, other) || isDeepStrictEqual(bare(one), bare(other))

const show = (value: unknown) => inspect(value, { depth: 9, breakLength: 400, compact: 99 })
