// A span of time in words for people: `2 h 5 min`. Two units at most, never a fraction.

const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
]

/** How long this many milliseconds are; `less than a second` for what is no second. */
export function span(ms: number): string {
  let left = Math.max(0, ms)
  const parts: string[] = []
  for (const [unit, size] of UNITS) {
    const count = Math.floor(left / size)
    left -= count * size
    if (count > 0) parts.push(`${count} ${unit}`)
    // What follows a gap says little: 1 d 3 min is 1 d.
    else if (parts.length > 0) break
    if (parts.length === 2) break
  }
  return parts.join(' ') || 'less than a second'
}

/** A moment as the world writes it, and how far it is from now. */
export function when(at: number, nowMs: number): string {
  const moment = new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
  return at > nowMs ? `${moment} (in ${span(at - nowMs)})` : `${moment} (${span(nowMs - at)} ago)`
}
