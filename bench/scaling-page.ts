// The tables of docs/scaling.md, from calibration.json.
// Promise: between the marks of a table stands what the model says, and nothing else of the page is touched.
import { type Calibration, comparisons, STEPS } from './calibration.ts'
import { ceilings, costOf, type Parameters, SITE, type Site } from './model.ts'
import { REMEDIES, shortly, stages } from './plan.ts'
import { simulate } from './simulation.ts'

type Rows = readonly (readonly string[])[]

/** Cores of the machines that are simulated, but for the one that was measured. */
const CORES = 8
const INSTANCES = 1_000
const JITTER = 0.3
const FLUSHES_MS = [0.1, 1, 3]
const WIDTHS = [1, 10, 50, 200, 400]
const PROCESSES = [1, 2, 4, 8]
const SHARES = [0.1, 0.3, 0.5, 0.7, 0.8, 0.9]

/** A machine nobody else uses. */
const quiet = (parameters: Parameters): Parameters => ({ ...parameters, slowdown: 1 })

/** All tables of the page by their names. */
export function tables(calibration: Calibration): Readonly<Record<string, Rows>> {
  const { parameters, sizes } = calibration
  const site = siteOf(quiet(parameters))
  return {
    origin: origin(calibration),
    cost: cost(quiet(parameters)),
    measured: measured(calibration),
    batch: batch(quiet(parameters)),
    processes: processes(quiet(parameters)),
    load: load(quiet(parameters)),
    ceilings: [
      ['resource', 'a step takes', 'ends at', 'then', 'today'],
      ...ceilings(parameters, sizes, site).map(({ resource, each, stepsPerS, sleepers }) => [
        resource,
        each,
        stepsPerS === null ? `${shortly(sleepers!)} tasks` : `${shortly(stepsPerS)} steps/s`,
        REMEDIES[resource].remedy,
        REMEDIES[resource].today,
      ]),
    ],
    stages: [
      ['step', 'needed at', 'today'],
      ...stages(parameters, sizes, CORES, site).map(({ name, neededAt, today }) => [
        name,
        neededAt,
        today,
      ]),
    ],
  }
}

/** The assumed site, with as many in a trip as the simulation finds there. */
function siteOf(parameters: Parameters): Site {
  const size = { ...common, processes: 1, steps: SITE.stepsPerTick, concurrency: 50 }
  const { rowsPerTrip } = simulate({ ...parameters, flushMs: SITE.flushMs }, size)
  return { ...SITE, rowsPerTrip }
}

function origin({
  origin: { measuredOn, machine, versions, durability, rounds, note },
}: Calibration): Rows {
  const facts = {
    day: measuredOn,
    machine: `${machine.processor}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.system}`,
    'one flush': `${shortly(machine.flushMs)} ms`,
    versions: Object.entries({ node: machine.node, ...versions })
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
    durability: Object.entries(durability)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
    rounds: String(rounds),
    ...(note !== undefined && { note }),
  }
  return [['', ''], ...Object.entries(facts)]
}

function cost(parameters: Parameters): Rows {
  const shapes = [
    [STEPS, 10],
    [STEPS, 50],
    [STEPS, 200],
    [1, 50],
  ] as const
  const head = ['steps of a tick, concurrency', 'commits', 'flushes', 'WAL bytes', 'Redis commands']
  return [
    [...head, 'worker ms', 'PostgreSQL ms', 'Redis ms'],
    ...shapes.map(([stepsPerTick, concurrency]) => {
      const size = { ...common, processes: 1, steps: stepsPerTick, concurrency }
      const { rowsPerTrip } = simulate(parameters, size)
      const one = costOf(parameters, { stepsPerTick, rowsPerTrip })
      const figures = [one.commits, one.flushes, one.walBytes, one.redisCommands]
      return [
        `${stepsPerTick}, ${concurrency}`,
        ...[...figures, one.workerMs, one.postgresMs, one.redisMs].map(shortly),
      ]
    }),
  ]
}

function measured(calibration: Calibration): Rows {
  const rows = comparisons(calibration).map(({ point, figure, error, isSeen, ...values }) => [
    `${point.workload} ${point.configuration}`,
    figure,
    shortly(values.predicted),
    shortly(values.measured),
    `${error < 0 ? '' : '+'}${Math.round(error * 100)} %${isSeen ? ' (seen)' : ''}`,
  ])
  return [['configuration', 'figure', 'model', 'measured', 'error'], ...rows]
}

function batch(parameters: Parameters): Rows {
  const cell = (concurrency: number, flushMs: number) => {
    const { rowsPerTrip, stepsPerS } = simulate(
      { ...parameters, flushMs },
      { ...common, processes: 1, concurrency },
    )
    return `${shortly(rowsPerTrip)}; ${shortly(stepsPerS)}`
  }
  return [
    ['concurrency', ...FLUSHES_MS.map((flushMs) => `flush ${flushMs} ms`)],
    ...WIDTHS.map((width) => [String(width), ...FLUSHES_MS.map((flushMs) => cell(width, flushMs))]),
  ]
}

function processes(parameters: Parameters): Rows {
  const speed = (count: number, cores: number) =>
    simulate(
      { ...parameters, flushMs: 1 },
      { ...common, instances: INSTANCES * 2, cores, processes: count, concurrency: 50 },
    ).stepsPerS
  const cell = (count: number, cores: number) =>
    `${shortly(speed(count, cores))} (${(speed(count, cores) / speed(1, cores)).toFixed(1)}x)`
  const machines = [2, CORES, 2 * CORES]
  return [
    ['processes', ...machines.map((cores) => `${cores} cores`)],
    ...PROCESSES.map((count) => [String(count), ...machines.map((cores) => cell(count, cores))]),
  ]
}

/** Tasks of one step, one process, coming at random. */
function load(parameters: Parameters): Rows {
  const site = { ...common, steps: 1, instances: 2 * INSTANCES, processes: 1, concurrency: 50 }
  const at = { ...parameters, flushMs: 1 }
  const most = simulate(at, site).stepsPerS
  return [
    ['load', 'steps/s', 'ticket to durable: p50 ms', 'p99 ms', 'rows of a commit'],
    ...SHARES.map((share) => {
      const outcome = simulate(at, { ...site, perSecond: most * share })
      return [
        `${Math.round(share * 100)} %`,
        ...[most * share, outcome.firstP50Ms, outcome.firstP99Ms, outcome.rowsPerTrip].map(shortly),
      ]
    }),
  ]
}

const common = { instances: INSTANCES, steps: STEPS, cores: CORES, jitter: JITTER }

/** The page with its tables written anew. @throws when a table has no marks in it */
export function pageWith(page: string, calibration: Calibration): string {
  return Object.entries(tables(calibration)).reduce((text, [name, rows]) => {
    const marks = new RegExp(`(<!-- table ${name} -->\\n)[\\s\\S]*?(<!-- end ${name} -->)`)
    if (!marks.test(text)) throw new RangeError(`The page has no marks of the table "${name}".`)
    return text.replace(marks, (_, before, after) => `${before}\n${markdown(rows)}\n\n${after}`)
  }, page)
}

function markdown([head = [], ...rows]: Rows): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
