// The simulation: closed forms where there are any, and more of anything never makes it slower.
import fc from 'fast-check'
import { aloneMs, MOST_TOGETHER, type Parameters, SLOW_MS } from '../../bench/model.ts'
import { type Load, simulate } from '../../bench/simulation.ts'
import { Agenda, drawer, Gate, Log } from '../../bench/simulation-parts.ts'
import { assert, suite } from '../support/suite.ts'

const EPSILON = 1e-6

const parameters: Parameters = {
  workerMsPerTick: 0.05,
  workerMsPerStep: 0.06,
  workerMsPerTrip: 0.2,
  postgresMsPerStep: 0.03,
  postgresMsPerTrip: 0.1,
  redisMsPerTick: 0.03,
  redisCommandsPerTick: 8,
  walBytesPerStep: 900,
  flushMs: 0.5,
  roundTripMs: 0.2,
  slowdown: 1,
}
const load: Load = { instances: 1, steps: 10, processes: 1, concurrency: 1, cores: 4 }

const near = (one: number, other: number, what: string) =>
  assert.ok(Math.abs(one - other) < EPSILON, `${what}: ${one} is not ${other}`)

const parts = suite('the parts of the simulation')

parts('happen in the order of their time, and of one time as they were written down', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 60 }), (times) => {
      const agenda = new Agenda()
      const seen: (readonly [number, number])[] = []
      for (const [index, at] of times.entries())
        agenda.after(at, () => seen.push([agenda.now, index]))
      agenda.run()
      const expected = times.map((at, index) => [at, index] as const)
      assert.equal(
        seen,
        expected.sort(([a, i], [b, j]) => a - b || i - j),
      )
    }),
  )
})

parts('let in so many at once, and the others in their order', () => {
  const gate = new Gate(2)
  const inside: number[] = []
  const leave: (() => void)[] = []
  for (const one of [0, 1, 2, 3])
    gate.enter((free) => {
      inside.push(one)
      leave.push(free)
    })
  assert.equal(inside, [0, 1])
  leave[1]!()
  assert.equal(inside, [0, 1, 2])
})

parts('flush together what was written during a flush', () => {
  const agenda = new Agenda()
  const log = new Log(agenda, () => 10)
  const doneAt: number[] = []
  for (const at of [0, 1, 9, 11]) agenda.after(at, () => log.flush(() => doneAt.push(agenda.now)))
  agenda.run()
  assert.equal(doneAt, [10, 20, 20, 30])
  assert.is(log.flushes, 3)
})

parts('draw the same from the same seed, from 0 to 1', () => {
  const [one, other, third] = [drawer(7), drawer(7), drawer(8)]
  const draws = Array.from({ length: 1_000 }, one)
  assert.equal(draws, Array.from({ length: 1_000 }, other))
  assert.ok(draws.every((value) => value >= 0 && value < 1))
  assert.not.equal(draws, Array.from({ length: 1_000 }, third))
  const mean = draws.reduce((sum, value) => sum + value, 0) / draws.length
  assert.ok(Math.abs(mean - 0.5) < 0.05, `the mean is ${mean}`)
})

parts.run()

const simulation = suite('the simulation')

simulation('of one resource alone is the closed form', () => {
  fc.assert(
    fc.property(anyParameters(), fc.integer({ min: 1, max: 20 }), (some, steps) => {
      const outcome = simulate(some, { ...load, steps })
      near(outcome.elapsedMs, aloneMs(some, steps), 'elapsed')
      near(outcome.rowsPerTrip, 1, 'rows of a trip')
    }),
    { numRuns: 50 },
  )
})

simulation('of one hand counts two statements a tick and one a step', () => {
  const outcome = simulate(parameters, { ...load, instances: 5 })
  near(outcome.commitsPerStep, 1.2, 'commits')
  near(outcome.flushesPerStep, 1, 'flushes')
})

simulation('of a lane waits for one flush after another, and beside it for two at once', () => {
  const free = { roundTripMs: 0, postgresMsPerStep: 0, postgresMsPerTrip: 0 }
  const rate = (flushMs: number) =>
    simulate({ ...parameters, ...free, flushMs }, { ...load, instances: 50, concurrency: 10 })
      .stepsPerS
  assert.ok(rate(SLOW_MS + 0.01) > rate(SLOW_MS - 0.01), 'more with a slower flush')
})

simulation('of a worker that does all the work is as fast as its thread', () => {
  const free = { postgresMsPerStep: 0, postgresMsPerTrip: 0, redisMsPerTick: 0 }
  const only = { ...parameters, ...free, flushMs: 0, roundTripMs: 0, workerMsPerTrip: 0 }
  const { stepsPerS, workerShare } = simulate(only, { ...load, instances: 100, concurrency: 20 })
  // The last tickets need no thread once their last step is on its way.
  near(stepsPerS, 1_000 / (0.06 + 0.05 / 10), 'speed')
  near(workerShare, 1, 'share')
})

simulation('has never more in a trip than may go together', () => {
  const wide = { ...load, instances: 900, steps: 3, concurrency: 900 }
  const slow = { ...parameters, flushMs: 50 }
  const { rowsPerTrip } = simulate(slow, wide)
  assert.ok(rowsPerTrip <= MOST_TOGETHER && rowsPerTrip > MOST_TOGETHER / 2, `${rowsPerTrip}`)
})

simulation('says the same for the same seed, and something else for another', () => {
  const drawn = { ...load, instances: 50, concurrency: 10, jitter: 0.3, perSecond: 200 }
  assert.equal(simulate(parameters, drawn), simulate(parameters, drawn))
  assert.not.equal(simulate(parameters, drawn), simulate(parameters, { ...drawn, seed: 2 }))
})

// Not so of many hands: a longer trip may gather more, and cost less in all.
simulation('of one hand takes longer when anything takes longer', () => {
  const costs = ['workerMsPerStep', 'workerMsPerTrip', 'postgresMsPerTrip', 'flushMs'] as const
  fc.assert(
    fc.property(anyParameters(), fc.constantFrom(...costs), (some, name) => {
      const at = { ...load, instances: 10, steps: 4 }
      const more = { ...some, [name]: some[name] * 3 + 0.1 }
      assert.ok(simulate(more, at).elapsedMs > simulate(some, at).elapsedMs, name)
    }),
    { numRuns: 50 },
  )
})

simulation('is never faster than its threads, its cores and its log', () => {
  const sizes = fc.record({
    processes: fc.integer({ min: 1, max: 3 }),
    concurrency: fc.integer({ min: 1, max: 30 }),
    cores: fc.integer({ min: 1, max: 4 }),
  })
  fc.assert(
    fc.property(anyParameters(), sizes, (some, size) => {
      const at = { ...load, ...size, instances: 40, steps: 4 }
      const { elapsedMs, flushesPerStep, commitsPerStep, workerShare } = simulate(some, at)
      const steps = at.instances * at.steps
      const thread = some.slowdown * (some.workerMsPerStep * steps + 0.05 * at.instances)
      const servers = some.slowdown * some.postgresMsPerStep * steps
      assert.ok(elapsedMs * at.processes > thread - EPSILON, 'threads')
      assert.ok(elapsedMs * at.cores > thread + servers - EPSILON, 'cores')
      // What is given back after the last step was durable is counted too, and takes a flush at most once more.
      assert.ok(elapsedMs > (flushesPerStep * steps - 1) * some.flushMs - EPSILON, 'log')
      assert.ok(flushesPerStep <= commitsPerStep && workerShare <= 1.1, 'counts')
    }),
    { numRuns: 60 },
  )
})

simulation('has larger trips where more are in hand', () => {
  const rows = [1, 10, 50, 200].map(
    (concurrency) => simulate(parameters, { ...load, instances: 400, concurrency }).rowsPerTrip,
  )
  assert.equal(
    rows,
    [...rows].sort((a, b) => a - b),
  )
  assert.ok(rows[3]! > 20 * rows[0]!, `${rows}`)
})

simulation(
  'shares a core: twice the processes are no faster on one, and nearly twice on many',
  () => {
    const speed = (processes: number, cores: number) =>
      simulate(parameters, { ...load, instances: 800, concurrency: 50, processes, cores }).stepsPerS
    assert.ok(speed(2, 1) < 1.1 * speed(1, 1), 'one core')
    assert.ok(speed(2, 8) > 1.6 * speed(1, 8), 'eight cores')
  },
)

simulation('lets wait longer where more comes', () => {
  const wait = (perSecond: number) => {
    const coming = { ...load, instances: 500, steps: 1, concurrency: 10, perSecond, jitter: 0.3 }
    return simulate(parameters, coming).firstP99Ms
  }
  assert.ok(wait(50) < wait(1_500), `${wait(50)} and ${wait(1_500)}`)
  assert.ok(wait(10) < 3 * aloneMs(parameters, 1), `${wait(10)}`)
})

simulation('refuses to simulate nothing', () => {
  assert.throws(() => simulate(parameters, { ...load, instances: 0 }), 'nothing to simulate')
})

simulation.run()

function anyParameters(): fc.Arbitrary<Parameters> {
  const ms = fc.integer({ min: 0, max: 40 }).map((value) => value / 100)
  return fc
    .record({
      workerMsPerStep: ms,
      workerMsPerTrip: ms,
      postgresMsPerStep: ms,
      postgresMsPerTrip: ms,
      redisMsPerTick: ms,
      flushMs: ms,
      roundTripMs: ms,
      slowdown: fc.constantFrom(1, 2),
    })
    .map((some) => ({ ...parameters, ...some }))
}
