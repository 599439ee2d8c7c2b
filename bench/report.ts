// The report: medians with least and most, and ratios.
// Promise: a ratio is ours divided by theirs, in the unit of the figure; among durable systems alone is the best peer
// looked for, and among those that hand out work; a system without a single run has no figure, and its reason is told.
import type { Heat, Result, Skipped } from './contest.ts'
import type { Surroundings } from './machine.ts'
import { median, ratio, type Spread, spread } from './sums.ts'
import { HERO, isOurs } from './systems.ts'
import type { Must } from './workloads/workload.ts'

export interface Line extends Partial<Spread> {
  readonly name: string
  readonly durable: boolean
  /** False for one that hands out no work, as a loop of transactions: it is no candidate for the best peer. */
  readonly isEngine: boolean
  /** How many runs there are figures of. */
  readonly runs: number
  /** Medians of everything else that was measured. */
  readonly figures: Readonly<Record<string, number>>
  readonly failures?: readonly string[]
}

export interface Peer extends Line {
  /** Ours / theirs. */
  readonly ratio: number | null
  /** Theirs / that of the best durable peer. */
  readonly toBest: number | null
}

export interface Entry {
  readonly workload: string
  readonly title: string
  readonly configuration: string
  readonly metric: string
  readonly better: 'higher' | 'lower'
  readonly ours: Line & { readonly toBest: number | null }
  /** The best durable peer. */
  readonly best: string | null
  /** Ours / that of the best durable peer. */
  readonly ratio: number | null
  /** What was to be shown of ours alone. */
  readonly shown: readonly Shown[]
  /** The peers, and our other settings. */
  readonly peers: readonly Peer[]
}

/** A figure of ours against its bounds; it does not hold when it could not be measured. */
export interface Shown extends Must {
  readonly value: number | null
  readonly holds: boolean
}

export interface Report extends Surroundings {
  readonly rounds: number
  readonly workloads: readonly Entry[]
  readonly skipped: readonly Skipped[]
}

/** @param heats what was measured @param skipped what was not */
export function reportOf(
  heats: readonly Heat[],
  rounds: number,
  where: Surroundings,
  skipped: readonly Skipped[] = [],
): Report {
  return { ...where, rounds, workloads: heats.map(entryOf), skipped }
}

export function entryOf({ workload, configuration, results }: Heat): Entry {
  const { name, title, metric, better, musts = [] } = workload
  const lines = results.map((result) => ({
    ...lineOf(result, metric),
    isOurs: isOurs(result.system),
  }))
  const durable = lines.filter(
    (line) => line.durable && line.isEngine && !line.isOurs && line.median !== undefined,
  )
  const sign = better === 'higher' ? 1 : -1
  const [best] = durable.sort((a, b) => sign * (b.median! - a.median!))
  const hero = lines.find((line) => line.name === HERO) ?? lines.find((line) => line.isOurs)!
  const between = (one?: number, other?: number) =>
    one === undefined || other === undefined ? null : ratio(one, other)
  const toBest = (line: Line) => between(line.median, best?.median)
  const bare = ({ isOurs: _, ...line }: (typeof lines)[number]): Line => line
  return {
    workload: name,
    title,
    configuration: configuration.name,
    metric,
    better,
    ours: { ...bare(hero), toBest: toBest(hero) },
    best: best?.name ?? null,
    ratio: toBest(hero),
    shown: musts.map((must) => shownOf(must, { ...hero.figures, [metric]: hero.median })),
    peers: lines
      .filter((line) => line !== hero)
      .map((line) => ({
        ...bare(line),
        ratio: between(hero.median, line.median),
        toBest: toBest(line),
      })),
  }
}

function shownOf(must: Must, figures: Readonly<Record<string, number | undefined>>): Shown {
  const value = figures[must.figure] ?? null
  const { least = -Infinity, most = Infinity } = must
  return { ...must, value, holds: value !== null && value >= least && value <= most }
}

function lineOf({ system, runs, failures }: Result, metric: string): Line {
  const { name, durable, isEngine } = system
  const main = runs.flatMap((figures) => figures[metric] ?? [])
  const names = [...new Set(runs.flatMap((figures) => Object.keys(figures)))]
  const others = names.filter((one) => one !== metric)
  const figures = others.map((one) => [one, median(runs.flatMap((run) => run[one] ?? []))])
  return {
    name,
    durable,
    isEngine,
    ...(main.length > 0 && spread(main)),
    runs: main.length,
    figures: Object.fromEntries(figures),
    ...(failures.length > 0 && { failures }),
  }
}
