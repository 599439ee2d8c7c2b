// Two lives of one case, looked at side by side.
// Promise: the first difference is named: after which happening, in what, and what either side had. Where
// actors write to each other the engine may be what XState is with its mail in line, and must be that then.
import { inspect, isDeepStrictEqual } from 'node:util'
import { bare } from '../support/bare.ts'
import { type Lived, life, type Seen } from '../support/charts/live.ts'
import type { Case } from '../support/charts/shape.ts'
import type { Ground } from './ground.ts'
import { type Endured, endured } from './life.ts'

/** The first difference as a text, or null where there is none. */
export async function difference(ground: Ground, drawn: Case): Promise<string | null> {
  const plain = await life(drawn)
  const inLine = drawn.chart.machines.length > 0 ? await life(drawn, true) : plain
  if (isMoot(plain) || isMoot(inLine)) {
    ground.skipped += 1
    return null
  }
  const ours = await endured(ground, drawn)
  const found = between(drawn, inLine.seen, ours)
  return found !== null && between(drawn, plain.seen, ours) !== null ? found : null
}

/** Nothing is promised here; or XState fails for freeing a system id too late, where the engine goes on. */
const isMoot = ({ isTied, error }: Lived): boolean =>
  isTied || (error instanceof Error && error.message.includes('with system ID'))

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
