// From a report of the bench to the parameters of the model, and how well it then tells what was measured.
// Promise: costs are lines through what W1 measured; two figures are fitted, the round trip and the slowdown, to the
// speed of two configurations; everything else is told without having seen it. The same report gives the same numbers.
import { costOf, type Parameters, type Sizes } from './model.ts'
import type { Report } from './report.ts'
import { type Load, type Outcome, simulate } from './simulation.ts'
import { median } from './sums.ts'

/** One configuration of W1 or W5 as it was measured. */
export interface Point {
  readonly workload: string
  readonly configuration: string
  readonly instances: number
  readonly concurrency: number
  readonly processes: number
  readonly addedFlushMs: number
  readonly stepsPerS: number
  readonly figures: Readonly<Record<string, number>>
}

/** What calibration.json holds. */
export interface Calibration {
  /** Where figures are from. */
  readonly origin: {
    /** The day, as 2026-01-31. */
    readonly measuredOn: string
    readonly machine: Report['machine']
    readonly versions: Report['versions']
    readonly durability: Report['durability']
    readonly rounds: number
    /** What else is to be known of that day. */
    readonly note?: string
  }
  readonly points: readonly Point[]
  readonly parameters: Parameters
  readonly sizes: Sizes
}

/** Steps of one instance of W1: bench/workloads/w1.ts. */
export const STEPS = 10
/** Hands of each process of W5, where its name does not say. */
const W5_CONCURRENCY = 50
/** Worker time of a tick that does nothing: docs/decisions/0015-locks-in-batches.md. */
const WORKER_MS_PER_TICK = 0.05
/** Enough for a steady state, and few enough to be run some hundred times. */
const MOST_INSTANCES = 1_000
const JITTER = 0.3

/** The configurations of a report that the model speaks of. */
export function pointsOf(report: Report): Point[] {
  return report.workloads.flatMap(({ workload, configuration, ours }) => {
    const number = (pattern: RegExp) =>
      Number(pattern.exec(configuration)?.slice(1).find(Boolean) ?? Number.NaN)
    const told = number(/concurrency=(\d+)/)
    const concurrency = workload === 'W5' ? told || W5_CONCURRENCY : told
    const instances = number(/n=(\d+)/)
    if (!/^W[15]$/.test(workload) || !(concurrency > 0) || !(instances > 0)) return []
    if (ours.median === undefined) return []
    const processes = number(/process(?:es)?=(\d+)|(?<==\d+ )(\d+) processes/) || 1
    const addedFlushMs = number(/flush\+(\d+)ms/) || 0
    const figures = Object.fromEntries(
      Object.entries(ours.figures).map(([name, value]) => [name, rounded(value, 4)]),
    )
    const size = { instances, concurrency, processes, addedFlushMs }
    return [{ workload, configuration, ...size, stepsPerS: rounded(ours.median, 4), figures }]
  })
}

/**
 * Parameters from what was measured.
 * @param flushMs one flush on that machine
 * @throws when there are fewer than two configurations of W1 with one process and a plain disk
 */
export function parametersOf(
  points: readonly Point[],
  machine: Pick<Report['machine'], 'cores' | 'flushMs'>,
): Parameters {
  const single = points.filter(isOfLines)
  const plain = single.filter(({ addedFlushMs }) => addedFlushMs === 0)
  const widths = [...new Set(plain.map(({ concurrency }) => concurrency))].sort((a, b) => a - b)
  if (widths.length < 2)
    throw new RangeError(
      'The report has fewer than two concurrencies of W1 on a plain disk: run the bench without --match.',
    )
  const costs = costsOf(single, machine.flushMs)
  const seen = plain.filter(({ concurrency }) => concurrency <= widths[1]!)
  return fitted(costs, seen, machine.cores)
}

/** Are the costs lines through it? */
const isOfLines = ({ workload, processes }: Point) => workload === 'W1' && processes === 1

/** Which points the fit has seen the speed of. */
export function isSeen(point: Point, points: readonly Point[]): boolean {
  const plain = points.filter(
    (one) => one.workload === 'W1' && one.processes === 1 && one.addedFlushMs === 0,
  )
  const widths = [...new Set(plain.map(({ concurrency }) => concurrency))].sort((a, b) => a - b)
  return plain.includes(point) && point.concurrency <= (widths[1] ?? 0)
}

function costsOf(points: readonly Point[], flushMs: number): Parameters {
  const column = (name: string) => points.map(({ figures }) => figures[name] ?? 0)
  const commits = column('commitsPerStep')
  const worker = lineOf(commits, column('workerCpuMsPerStep'))
  const postgres = lineOf(commits, column('postgresCpuMsPerStep'))
  return {
    workerMsPerTick: WORKER_MS_PER_TICK,
    workerMsPerStep: rounded(Math.max(0, worker.at0 - WORKER_MS_PER_TICK / STEPS)),
    workerMsPerTrip: rounded(worker.slope),
    postgresMsPerStep: rounded(postgres.at0),
    postgresMsPerTrip: rounded(postgres.slope),
    redisMsPerTick: rounded(median(column('redisCpuMsPerStep')) * STEPS),
    redisCommandsPerTick: rounded(median(column('redisCommandsPerStep')) * STEPS),
    walBytesPerStep: rounded(median(column('walBytesPerStep'))),
    flushMs: rounded(flushMs),
    roundTripMs: 0.1,
    slowdown: 1,
  }
}

/** Least squares; neither end below zero. */
export function lineOf(
  xs: readonly number[],
  ys: readonly number[],
): { at0: number; slope: number } {
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / values.length
  const [x0, y0] = [mean(xs), mean(ys)]
  const over = xs.reduce((sum, x, index) => sum + (x - x0) * (ys[index]! - y0), 0)
  const under = xs.reduce((sum, x) => sum + (x - x0) ** 2, 0)
  const slope = under === 0 ? 0 : Math.max(0, over / under)
  const at0 = y0 - slope * x0
  return at0 >= 0 ? { at0, slope } : { at0: 0, slope: x0 === 0 ? 0 : y0 / x0 }
}

/** Looks around the best so far in ever smaller steps. */
function fitted(costs: Parameters, seen: readonly Point[], cores: number): Parameters {
  const miss = (parameters: Parameters) =>
    seen.reduce((sum, point) => {
      const { stepsPerS } = simulated(parameters, point, cores)
      return sum + Math.log(stepsPerS / point.stepsPerS) ** 2
    }, 0)
  let best = costs
  let least = miss(best)
  for (let factor = 4; factor > 1.01; factor = Math.sqrt(factor)) {
    for (let isBetter = true; isBetter; ) {
      isBetter = false
      for (const one of around(best, factor)) {
        const missed = miss(one)
        if (missed >= least - 1e-9) continue
        best = one
        least = missed
        isBetter = true
      }
    }
  }
  return { ...best, roundTripMs: rounded(best.roundTripMs), slowdown: rounded(best.slowdown) }
}

const around = (from: Parameters, factor: number): Parameters[] =>
  [1, factor, 1 / factor].flatMap((trip) =>
    [1, factor, 1 / factor].map((slow) => ({
      ...from,
      roundTripMs: Math.min(20, Math.max(0.01, from.roundTripMs * trip)),
      slowdown: Math.min(20, Math.max(1, from.slowdown * slow)),
    })),
  )

/** A measured configuration, simulated. */
export function simulated(parameters: Parameters, point: Point, cores: number): Outcome {
  const { concurrency, processes, addedFlushMs } = point
  const flushMs = parameters.flushMs + addedFlushMs
  const instances = Math.min(MOST_INSTANCES, point.instances)
  const load: Load = { instances, steps: STEPS, processes, concurrency, cores, jitter: JITTER }
  return simulate({ ...parameters, flushMs }, load)
}

/** One figure, told and measured. */
export interface Comparison {
  readonly point: Point
  readonly figure: string
  readonly predicted: number
  readonly measured: number
  /** predicted / measured - 1 */
  readonly error: number
  /** Has the calibration seen it? */
  readonly isSeen: boolean
}

/** What the model says of each measured configuration, beside what was measured. */
export function comparisons({ points, parameters, origin }: Calibration): Comparison[] {
  return points.flatMap((point) => {
    const { stepP50Ms, stepP99Ms, commitsPerStep, stepsPerS, rowsPerTrip } = simulated(
      parameters,
      point,
      origin.machine.cores,
    )
    const cost = costOf(parameters, { stepsPerTick: STEPS, rowsPerTrip })
    const told = {
      stepsPerS,
      commitsPerStep,
      stepP50Ms,
      stepP99Ms,
      workerCpuMsPerStep: cost.workerMs,
    }
    const measured = { ...point.figures, stepsPerS: point.stepsPerS } as Record<string, number>
    return Object.entries(told).flatMap(([figure, predicted]) => {
      const value = measured[figure]
      if (!value) return []
      const isCost = figure === 'workerCpuMsPerStep' && isOfLines(point)
      const seen = isCost || (figure === 'stepsPerS' && isSeen(point, points))
      return [
        { point, figure, predicted, measured: value, error: predicted / value - 1, isSeen: seen },
      ]
    })
  })
}

/** So many significant digits: a file that says no more than was measured. */
export const rounded = (value: number, digits = 3) => Number(value.toPrecision(digits))
