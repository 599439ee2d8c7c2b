// Medians, quantiles and ratios.

/** The value below which a share of all values lie. @param sorted ascending, not empty */
export function quantile(sorted: readonly number[], share: number): number {
  const index = Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)
  return sorted[Math.max(0, index)]!
}

/** The middle value; of two middle ones, what lies between them. @param values not empty */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** One number of several runs. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** @param values not empty */
export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/** How much there is of one for each of the other, or null when there is nothing to divide by. */
export function ratio(one: number, other: number): number | null {
  return other === 0 || !Number.isFinite(one / other) ? null : one / other
}
