// The model: arithmetic by hand, limits that never fall when something gets cheaper, and a page that says what it says.
// timeout: 300s
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import {
  type Calibration,
  comparisons,
  isSeen,
  lineOf,
  type Point,
  parametersOf,
  pointsOf,
} from '../../bench/calibration.ts'
import {
  aloneMs,
  BUNDLE,
  CHUNK,
  ceilings,
  costOf,
  FAIR,
  LOOK,
  MOST_TOGETHER,
  type Parameters,
  type Resource,
  SITE,
  type Sizes,
  SLOW_MS,
  TRIPS,
  together,
} from '../../bench/model.ts'
import { REMEDIES, shortly, stages } from '../../bench/plan.ts'
import type { Report } from '../../bench/report.ts'
import { pageWith } from '../../bench/scaling-page.ts'
import { simulate } from '../../bench/simulation.ts'
import { assert, suite } from '../support/suite.ts'

const calibration: Calibration = JSON.parse(readFileSync('bench/calibration.json', 'utf8'))

/** Round figures, so that a hand can follow. */
const parameters: Parameters = {
  workerMsPerTick: 0.1,
  workerMsPerStep: 0.05,
  workerMsPerTrip: 0.4,
  postgresMsPerStep: 0.02,
  postgresMsPerTrip: 0.1,
  redisMsPerTick: 0.03,
  redisCommandsPerTick: 8,
  walBytesPerStep: 500,
  flushMs: 2,
  roundTripMs: 1,
  slowdown: 1,
}
const sizes: Sizes = {
  bytesPerSleeper: 2_000,
  hotBytesPerSleeper: 1_000,
  bytesPerStep: 250,
  bytesPerTaskRow: 200,
  lookMs: 45,
  emptyLookMs: 1,
}

const near = (one: number, other: number, what = '') =>
  assert.ok(Math.abs(one - other) <= 1e-9 * Math.max(1, Math.abs(other)), `${what} ${one} ${other}`)

const model = suite('the model')

model('counts what a step costs', () => {
  const cost = costOf(parameters, { stepsPerTick: 10, rowsPerTrip: 5 })
  near(cost.commits, 1.2 / 5)
  near(cost.flushes, 1 / 5)
  near(cost.workerMs, 0.05 + 0.01 + 0.4 * 0.24)
  near(cost.postgresMs, 0.02 + 0.1 * 0.24)
  near(cost.redisMs, 0.003)
  near(cost.redisCommands, 0.8)
  near(cost.walBytes, 500)
})

model('counts how long one resource takes alone', () => {
  // Two errands of 1.01, the tick 0.1, two trips of 0.5 that travel together, then a step of 1.5 + 0.07 + 2.
  near(aloneMs(parameters, 1), 2.02 + 0.1 + 2 + 3.57)
  near(aloneMs(parameters, 3) - aloneMs(parameters, 1), 2 * 3.57)
})

model('finds where resources end', () => {
  const site = { ...SITE, stepsPerTick: 10, rowsPerTrip: 5 }
  const at = new Map(ceilings(parameters, sizes, site).map((one) => [one.resource, one]))
  const rate = (name: Resource) => at.get(name)!.stepsPerS!
  near(rate('worker: one process'), 1_000 / 0.156)
  near(rate('Redis: its one thread'), 700 / 0.003)
  near(rate('PostgreSQL: processors'), (0.7 * 16_000) / 0.044)
  near(rate('log: bytes'), 400_000)
  near(rate('log: flushes, one process'), 1_000 / 0.2)
  near(rate('connections'), (33 * 0.7 * 1_000) / 0.156)
  near(rate('clock: one, all by timers'), 10 * (1_000_000 / 50))
  near(rate('vacuum of hot rows'), (0.7 * 5_000 * 8_192) / 200 / 1.2)
  near(rate('removing history'), 2_000_000 / (100 + 2_000 * 0.044))
  near(rate('disk: history'), 2e12 / (250 * 86_400 * 30))
  near(at.get('memory: what ticks touch')!.sleepers!, 32e9 / 1_000)
  near(at.get('disk: tasks asleep')!.sleepers!, 1e9)
})

model('has a remedy for each resource, and the first to end first', () => {
  const all = ceilings(parameters, sizes)
  assert.equal(all.map(({ resource }) => resource).sort(), Object.keys(REMEDIES).sort())
  const rates = all.map(({ stepsPerS }) => stepsPerS ?? Infinity)
  assert.equal(
    rates,
    [...rates].sort((a, b) => a - b),
  )
})

model('takes no more when more travel together or a tick has more steps', () => {
  const count = fc.integer({ min: 1, max: 200 })
  fc.assert(
    fc.property(count, count, count, count, (steps, rows, moreSteps, moreRows) => {
      const cost = costOf(parameters, { stepsPerTick: steps, rowsPerTrip: rows })
      const shape = { stepsPerTick: steps + moreSteps, rowsPerTrip: rows + moreRows }
      const less = costOf(parameters, shape)
      for (const name of Object.keys(cost) as (keyof typeof cost)[])
        assert.ok(less[name] <= cost[name], name)
    }),
  )
})

model('ends nowhere sooner when anything gets cheaper', () => {
  const names = Object.keys(parameters) as (keyof Parameters)[]
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.double({ min: 0.1, max: 1, noNaN: true }),
      (name, share) => {
        const before = new Map(ceilings(parameters, sizes).map((one) => [one.resource, one]))
        for (const { resource, stepsPerS } of ceilings(
          { ...parameters, [name]: parameters[name] * share },
          sizes,
        ))
          assert.ok(
            (stepsPerS ?? 0) >= (before.get(resource)!.stepsPerS ?? 0),
            `${name}: ${resource}`,
          )
      },
    ),
  )
})

model('bounds what the simulation finds in a trip', () => {
  for (const concurrency of [1, 10, 60]) {
    const load = { instances: 200, steps: 10, processes: 1, concurrency, cores: 4 }
    const { rowsPerTrip } = simulate(parameters, load)
    assert.ok(rowsPerTrip <= together(concurrency) + 1e-9, `${concurrency}: ${rowsPerTrip}`)
  }
  assert.equal([together(1), together(50), together(4_000)], [1, 25, 200])
})

model('knows the constants of the house', () => {
  const says = (path: string, pattern: RegExp) => {
    const [, ...found] = pattern.exec(readFileSync(path, 'utf8')) ?? []
    return found.map((one) => Number(one.replaceAll('_', '')))
  }
  assert.equal(says('lib/trips.ts', /MOST_TOGETHER = (\d+)\nconst TRIPS = (\d+)/), [
    MOST_TOGETHER,
    TRIPS,
  ])
  assert.equal(says('lib/coalescer.ts', /FAIR = (\d+)/), [FAIR])
  assert.equal(says('lib/lane.ts', /SLOW_MS = ([\d.]+)/), [SLOW_MS])
  assert.equal(says('lib/envelope.ts', /MOST_TICKETS = (\d+)/), [BUNDLE])
  assert.equal(says('models/staff.ts', /tickets: ([\d_]+)/), [LOOK.tickets])
  assert.equal(says('lib/clock.ts', /LEAST_WAIT_MS = (\d+)/), [LOOK.restMs])
  assert.equal(says('docs/retention.md', /\| `chunk` \| (\d+) /), [CHUNK.rows])
  assert.equal(says('docs/retention.md', /\| `pause` \| `'(\d+)ms'/), [CHUNK.pauseMs])
})

model('says numbers shortly', () => {
  const said = [0.0123, 1.25, 1_250, 3_449_000, 1.6e9].map(shortly)
  assert.equal(said, ['0.012', '1.3', '1,300', '3.4 million', '1,600 million'])
})

model.run()

const calibrating = suite('the calibration')

/** What W1 would have measured of a machine that is exactly as the simulation. */
function report(): Report {
  const entry = (concurrency: number, extra = '', workload = 'W1') => {
    const load = { instances: 200, steps: 10, processes: 1, concurrency, cores: 2, jitter: 0.3 }
    const { stepsPerS, commitsPerStep } = simulate(
      { ...parameters, roundTripMs: 0.4, slowdown: 1.5 },
      load,
    )
    const figures = {
      commitsPerStep,
      workerCpuMsPerStep: 0.06 + 0.4 * commitsPerStep,
      postgresCpuMsPerStep: 0.02 + 0.1 * commitsPerStep,
      redisCpuMsPerStep: 0.003,
      redisCommandsPerStep: 0.8,
      walBytesPerStep: 500,
    }
    const ours = { name: 'escapement:full', median: stepsPerS, runs: 1, figures }
    return { workload, configuration: `n=200 concurrency=${concurrency}${extra}`, ours }
  }
  const workloads = [
    entry(10),
    entry(50),
    entry(200),
    entry(50, ' flush+2ms'),
    entry(50, ' processes=4', 'W5'),
    entry(50, ' 2 processes', 'W5'),
  ]
  return { machine: { cores: 2, flushMs: 2 }, workloads } as unknown as Report
}

calibrating('reads the configurations it knows, and leaves the others', () => {
  const other = {
    workload: 'W2',
    configuration: '200 tasks at 20/s',
    ours: { median: 3, figures: {} },
  }
  const whole = report()
  const failed = { ...whole.workloads[0]!, ours: { figures: {} } }
  const named = { ...whole.workloads[0]!, workload: 'W5', configuration: 'n=200 processes=3' }
  const workloads = [...whole.workloads, other, failed, named] as unknown as Report['workloads']
  const points = pointsOf({ ...whole, workloads })
  assert.equal(
    points.map(({ concurrency, processes, addedFlushMs }) => [
      concurrency,
      processes,
      addedFlushMs,
    ]),
    [
      [10, 1, 0],
      [50, 1, 0],
      [200, 1, 0],
      [50, 1, 2],
      [50, 4, 0],
      [50, 2, 0],
      [50, 3, 0],
    ],
  )
  assert.equal(
    points.map((point) => isSeen(point, points)),
    [true, true, false, false, false, false, false],
  )
})

calibrating(
  'finds the parameters again that a measurement was made with',
  { deadlineMs: 120_000 },
  () => {
    const { machine } = report()
    const found = parametersOf(pointsOf(report()), machine)
    const close = (one: number, other: number) => Math.abs(one / other - 1) < 0.02
    for (const name of [
      'workerMsPerTrip',
      'postgresMsPerStep',
      'postgresMsPerTrip',
      'redisMsPerTick',
    ] as const)
      assert.ok(close(found[name], parameters[name]), `${name} is ${found[name]}`)
    // The tick is known from elsewhere, so the step has what is left.
    assert.ok(close(found.workerMsPerStep, 0.055), `workerMsPerStep is ${found.workerMsPerStep}`)
    const origin = { ...calibration.origin, machine }
    const made = { ...calibration, origin, points: pointsOf(report()), parameters: found }
    const speeds = comparisons(made).filter(
      ({ figure, isSeen }) => figure === 'stepsPerS' && isSeen,
    )
    assert.is(speeds.length, 2)
    for (const { error } of speeds) assert.ok(Math.abs(error) < 0.05, `missed by ${error}`)
  },
)

calibrating('draws a line through points, and none below zero', () => {
  assert.equal(lineOf([0, 1, 2], [1, 3, 5]), { at0: 1, slope: 2 })
  assert.equal(lineOf([1, 1], [2, 4]), { at0: 3, slope: 0 })
  assert.is(lineOf([1, 2], [4, 2]).slope, 0)
  assert.is(lineOf([2, 3], [1, 6]).at0, 0)
})

calibrating('says what is missing in a report that is too small', () => {
  const one: Point[] = pointsOf(report()).slice(0, 1)
  assert.throws(() => parametersOf(one, { cores: 2, flushMs: 1 }), 'fewer than two concurrencies')
})

calibrating('is what its own points give', { deadlineMs: 120_000 }, () => {
  const { points, origin, parameters: kept } = calibration
  assert.equal(parametersOf(points, origin.machine), kept)
})

calibrating.run()

const page = suite('docs/scaling.md')

page('says what the model says', { deadlineMs: 120_000 }, () => {
  const text = readFileSync('docs/scaling.md', 'utf8')
  assert.fixture(pageWith(text, calibration), text)
})

page('would not pass with a figure that is another', { deadlineMs: 120_000 }, () => {
  const text = readFileSync('docs/scaling.md', 'utf8')
  const planted = text.replace(/(\| worker: one process \|[^|]+\| )\d/, '$1 9')
  assert.not.equal(planted, text)
  assert.is(pageWith(planted, calibration), text)
  const without = text.replace('<!-- end cost -->', '')
  assert.throws(() => pageWith(without, calibration), 'no marks of the table "cost"')
})

page('describes every stage of the plan, in its order', () => {
  const text = readFileSync('docs/scaling.md', 'utf8')
  const told = [...text.matchAll(/^(\d)\. \*\*/gm)].map(([, number]) => number)
  const named = stages(calibration.parameters, calibration.sizes, 8, SITE).map(
    ({ name }) => name[0],
  )
  assert.equal(told, named)
})

page.run()
