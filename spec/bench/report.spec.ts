// The arithmetic of the bench.
import { chartOf } from '../../bench/chart.ts'
import type { Heat } from '../../bench/contest.ts'
import { markdownOf } from '../../bench/markdown.ts'
import { entryOf, type Report, reportOf } from '../../bench/report.ts'
import { median, quantile, ratio, spread } from '../../bench/sums.ts'
import { SYSTEMS } from '../../bench/systems.ts'
import { w1 } from '../../bench/workloads/w1.ts'
import { w2 } from '../../bench/workloads/w2.ts'
import { w3 } from '../../bench/workloads/w3.ts'
import type { Workload } from '../../bench/workloads/workload.ts'
import { assert, suite } from '../support/suite.ts'

const sums = suite('sums')

sums('have the middle value, or what lies between two', () => {
  assert.is(median([3, 1, 2]), 2)
  assert.is(median([4, 1, 2, 3]), 2.5)
  assert.is(median([7]), 7)
  assert.equal(spread([3, 1, 2]), { median: 2, min: 1, max: 3 })
})

sums('have the value below which a share lies', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
  assert.is(quantile(hundred, 0.5), 50)
  assert.is(quantile(hundred, 0.99), 99)
  assert.is(quantile([5], 0.99), 5)
})

sums('divide, unless there is nothing to divide by', () => {
  assert.is(ratio(8, 2), 4)
  assert.is(ratio(8, 0), null)
})

sums.run()

const report = suite('a report')

/** What the rounds of each system gave, as a heat. */
function heat(workload: Workload, runs: Record<string, readonly number[]>): Heat {
  const [configuration] = workload.configurations({ isQuick: true, instances: null })
  const results = Object.entries(runs).map(([name, values]) => ({
    system: SYSTEMS.find((system) => system.name === name)!,
    runs: values.map((value) => ({ [workload.metric]: value, rssMb: value / 10 })),
    failures: values.length === 0 ? ['it fell over\nfar away'] : [],
  }))
  return { workload, configuration: configuration!, results }
}

const speeds = {
  'escapement:full': [900, 1_100, 1_000],
  'escapement:postgres': [2_000],
  'dbos:direct': [100, 100, 130],
  'restate:p4': [500, 480, 600],
  'bullmq:default': [4_000],
  'knex:default': [3_000],
  toygun: [],
}

report('compares ours with theirs by the medians', () => {
  const { ours, peers, ratio } = entryOf(heat(w1, speeds))
  assert.equal([ours.median, ours.min, ours.max, ours.runs], [1_000, 900, 1_100, 3])
  assert.is(ours.figures.rssMb, 100)
  const dbos = peers.find(({ name }) => name === 'dbos:direct')!
  assert.equal([dbos.median, dbos.ratio, dbos.toBest], [100, 10, 0.2])
  assert.is(ratio, 2)
})

report('looks for the best among durable engines that are not ours', () => {
  const { best, ours } = entryOf(heat(w1, speeds))
  assert.is(best, 'restate:p4')
  assert.is(ours.toBest, 2)
})

report('knows that less is better where it is', () => {
  const slow = { 'escapement:full': [4], 'dbos:direct': [3], 'restate:p4': [5] }
  const { best, ratio } = entryOf(heat(w2, slow))
  assert.is(best, 'dbos:direct')
  assert.is(ratio, 4 / 3)
})

report('tells who could not be measured, and why', () => {
  const toygun = entryOf(heat(w1, speeds)).peers.find(({ name }) => name === 'toygun')!
  assert.equal([toygun.median, toygun.ratio, toygun.runs], [undefined, null, 0])
  assert.equal(toygun.failures, ['it fell over\nfar away'])
})

report('has no ratio when ours could not be measured', () => {
  const { ours, ratio } = entryOf(heat(w1, { ...speeds, 'escapement:full': [] }))
  assert.equal([ours.median, ours.runs, ratio], [undefined, 0, null])
})

report('says whether what was to be shown of ours holds, and what was left out', () => {
  const some = heat(w3, { 'escapement:full': [1] })
  const bounded = { idlePointsMore: 2, p50ToEmpty: 1.21, rssToEmpty: 1 }
  const runs = some.results[0]!.runs.map((run) => ({ ...run, ...bounded }))
  const told = { ...some, results: [{ ...some.results[0]!, runs }] }
  const held = Object.fromEntries(
    entryOf(told).shown.map(({ figure, holds }) => [figure, holds] as const),
  )
  const expected = { idlePointsMore: true, p50ToEmpty: false, p99ToEmpty: false, rssToEmpty: true }
  assert.equal(held, expected)
  const skipped = [{ workload: 'W5', configuration: 'processes=4', reason: 'no time for it' }]
  const where = { machine: whole().machine, versions: {}, durability: {} }
  const text = markdownOf(reportOf([told], 1, where, skipped))
  assert.match(text, '* idlePointsMore: 2, is to be at most 2: holds\n')
  assert.match(text, '* p50ToEmpty: 1.21, is to be at most 1.2: **does not hold**\n')
  assert.match(text, '* p99ToEmpty: not measured, is to be at most 1.2: **does not hold**\n')
  assert.match(text, '* W5: processes=4: no time for it')
})

const whole = (): Report => {
  const machine = { system: 'linux', processor: 'a <fast> one', cores: 2, memoryGb: 4 }
  const where = { machine: { ...machine, node: '20', flushMs: 0.15 }, versions: {}, durability: {} }
  return reportOf([heat(w1, speeds)], 3, where)
}

report('is a table with the best first and the failed last', () => {
  const rows = markdownOf(whole())
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.split(' | ')[0]!.slice(2))
  const order = ['bullmq:default (not durable)', 'knex:default', 'escapement:postgres']
  assert.equal(rows.slice(2, 5), order)
  assert.is(rows.at(-1), 'toygun')
  assert.match(markdownOf(whole()), '* toygun failed: it fell over\n')
})

report('is a picture with a bar for each that was measured, and text that cannot break it', () => {
  const svg = chartOf(whole())
  assert.is(svg.match(/<rect x=/g)?.length, 6)
  assert.match(svg, 'a &#60;fast&#62; one')
})

report.run()
