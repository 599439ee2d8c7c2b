// A case that differs, made smaller for as long as it still does.
// Promise: greedy and in a fixed order, so one case always shrinks to the same; candidates are tried many
// at a time, for what they ask of the database travels together.

import type { Case } from '../support/charts/shape.ts'
import { full, sparse } from '../support/charts/sparse.ts'

/** How many candidates are tried at once. */
const TOGETHER = 60

/**
 * @param differs what differs in a case; null for one that is no use
 * @param isLate asked between two rounds
 */
export async function shrink(
  drawn: Case,
  differs: (one: Case) => Promise<string | null>,
  isLate: () => boolean,
): Promise<Case> {
  let smallest = sparse(drawn)
  for (let at = 0; !isLate(); ) {
    const candidates = smallerThan(smallest).slice(at, at + TOGETHER)
    if (candidates.length === 0) break
    const answers = await Promise.all(candidates.map((one) => differs(full(one))))
    const found = answers.findIndex((answer) => answer !== null)
    if (found < 0) at += TOGETHER
    else {
      smallest = candidates[found]
      // What was tried before this one was no use then and hardly is now; begin anew only at the end.
      at = Math.max(0, at - TOGETHER)
    }
  }
  return full(smallest)
}

/** Every case one cut smaller, the larger cuts first. */
function smallerThan(value: any): any[] {
  return cutsOf(value)
    .map((cut) => ({ cut, size: JSON.stringify(cut).length }))
    .sort((a, b) => a.size - b.size)
    .map(({ cut }) => cut)
}

function cutsOf(value: any): any[] {
  if (Array.isArray(value)) return cutsOfList(value)
  if (typeof value === 'number' && value > 0) return value > 1 ? [0, Math.floor(value / 2)] : [0]
  if (typeof value !== 'object' || value === null) return []
  const hoisted = Array.isArray(value.children) ? value.children : []
  const less = Object.keys(value).flatMap((key) => {
    const { [key]: part, ...others } = value
    const cuts = cutsOf(part).map((cut) => ({ ...value, [key]: cut }))
    // Which happening it is cannot be left unsaid.
    return HAPPENS.has(key) ? cuts : [others, ...cuts]
  })
  return [...hoisted, ...less]
}

const HAPPENS: ReadonlySet<string> = new Set(['chart', 'root', 'send', 'pass', 'settle', 'n', 'v'])

function cutsOfList(list: readonly any[]): any[] {
  const halves =
    list.length > 3
      ? [list.slice(0, Math.floor(list.length / 2)), list.slice(Math.floor(list.length / 2))]
      : []
  const less = list.map((_, index) => list.filter((__, other) => other !== index))
  const smaller = list.flatMap((item, index) => cutsOf(item).map((cut) => list.with(index, cut)))
  return [...halves, ...less, ...smaller]
}
