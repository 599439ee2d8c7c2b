// The dashboard and the alert rules: they parse, and name only metrics and labels that a house at work really shows.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import * as z from 'zod'
import type { Exposition } from '../support/exposition.ts'
import { openPlant, type Plant } from '../support/plant.ts'
import { readExpression, type Selector } from '../support/promql.ts'
import { assert, suite } from '../support/suite.ts'

const RULES = 'examples/monitoring/alert-rules.yml'
const DASHBOARD = 'examples/monitoring/grafana-dashboard.json'

const text = z.string().min(1)
const duration = z.string().regex(/^(\d+(ms|[smhdwy]))+$/)
const template = text.refine(
  (said) =>
    said
      .replaceAll(/\{\{ (\$value( \| humanize(Duration)?)?|\$labels\.\w+) \}\}/g, '')
      .indexOf('{{') < 0,
  'holds a template nobody knows',
)
/** What promtool takes, and of that only what these rules need. */
const Rules = z.strictObject({
  groups: z.array(
    z.strictObject({
      name: text,
      rules: z.array(
        z.strictObject({
          alert: z.string().regex(/^Escapement[A-Z]\w*$/),
          expr: text,
          for: duration.optional(),
          labels: z.strictObject({ severity: z.enum(['critical', 'error', 'warning', 'info']) }),
          annotations: z.strictObject({ summary: template, description: template }),
        }),
      ),
    }),
  ),
})

const rules = Rules.parse(parse(readFileSync(RULES, 'utf8'))).groups.flatMap((group) => group.rules)
const dashboard = JSON.parse(readFileSync(DASHBOARD, 'utf8'))
const panels: any[] = dashboard.panels
const shown = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, legendFormat }: any) => ({
    title,
    expr: plain(expr),
    legend: legendFormat,
  })),
)

/** Grafana puts a duration here. */
function plain(expr: string): string {
  return expr.replaceAll('$__rate_interval', '5m')
}

/** The variable of the dashboard that stands for its data source. */
const SOURCE = `$${'{datasource}'}`

/** Labels that Prometheus adds to whatever it collects. */
const ADDED = ['instance', 'job']

let plant: Plant
let exposed: Exposition
const test = suite('the monitoring example')
test.before(async () => {
  plant = await openPlant()
  exposed = await plant.scrape()
})
test.after(() => plant?.close())

const labelsOf = (metric: string) =>
  new Set([
    ...exposed.samples
      .filter(({ name }) => name === metric)
      .flatMap((one) => Object.keys(one.labels)),
    ...ADDED,
  ])

/** Silent in a house that is well: nothing has failed to answer. */
const SILENT = new Map([['escapement_scrape_failures_total', ['source']]])

/** What is wrong with a selector, if anything. */
function wrong({ metric, matchers, within }: Selector): string | null {
  const base = metric.replace(/_(bucket|sum|count)$/, '')
  const type = exposed.types.get(metric) ?? exposed.types.get(base)
  if (!type) return `there is no metric ${metric}`
  const series = exposed.samples.filter(({ name }) => name === metric)
  if (series.length === 0 && !SILENT.has(metric)) return `${metric} has no series`
  const isRated = within.some((name) => /^(rate|increase|irate)$/.test(name))
  const isCount = type !== 'gauge'
  const isAsked = within.includes('absent')
  if (isCount !== isRated && !isAsked) return `${metric} is a ${type}, rated or not`
  for (const { label, op, value } of matchers) {
    if (!labelsOf(metric).has(label)) return `${metric} has no label ${label}`
    const words = op.includes('~') ? value.split('|') : [value]
    const unknown = words.filter((word) => !series.some(({ labels }) => labels[label] === word))
    if (unknown.length > 0) return `${metric} has no ${label} ${unknown}`
  }
  return null
}

/** Names of a text that stand for labels, and that no metric of an expression has. */
function strangers(names: Iterable<string>, expr: string): string[] {
  const known = readExpression(expr).selectors.flatMap(({ metric }) => [
    ...labelsOf(metric),
    ...(SILENT.get(metric) ?? []),
  ])
  return [...names].filter((name) => !known.includes(name))
}

const namesIn = (said: string, pattern: RegExp) =>
  [...said.matchAll(pattern)].map(([, name]) => name!)

for (const { name, expr } of [
  ...rules.map(({ alert, expr }) => ({ name: alert, expr })),
  ...shown.map(({ title, expr }, index) => ({ name: `${title} (${index})`, expr })),
]) {
  test(`asks only for what there is: ${name}`, () => {
    const { selectors, groups } = readExpression(expr)
    assert.ok(selectors.length > 0)
    for (const selector of selectors) assert.is(wrong(selector), null)
    assert.equal(strangers(groups, expr), [], 'groups by labels there are not')
  })
}

test('has rules of different names, whose texts name only labels that are left', () => {
  assert.is(new Set(rules.map(({ alert }) => alert)).size, rules.length)
  for (const { alert, expr, annotations } of rules) {
    const { groups } = readExpression(expr)
    const named = namesIn(Object.values(annotations).join(' '), /\$labels\.(\w+)/g)
    assert.equal(
      named.filter((name) => !groups.includes(name)),
      [],
      alert,
    )
  }
})

test('has rules that promtool takes, where it is installed', () => {
  const { error, status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', RULES], {
    encoding: 'utf8',
  })
  if (error) return console.log('note: promtool is not installed; its schema was checked by ours')
  assert.is(status, 0, `${stdout}${stderr}`)
})

test('has a dashboard that any Grafana can import: no source and no identity of its own', () => {
  assert.is(dashboard.id, null)
  assert.is(dashboard.uid, undefined)
  assert.is(dashboard.__inputs, undefined)
  assert.ok(dashboard.schemaVersion >= 41)
  const [variable, ...others] = dashboard.templating.list
  assert.equal(
    [variable.name, variable.type, variable.query],
    ['datasource', 'datasource', 'prometheus'],
  )
  assert.equal(others, [])
  const uids = namesIn(JSON.stringify(dashboard), /"uid":("[^"]*"|[^,}]*)/g)
  assert.equal([...new Set(uids)], [`"${SOURCE}"`])
})

test('has panels with an identity each, side by side, all of a source and with a title', () => {
  assert.is(new Set(panels.map(({ id }) => id)).size, panels.length)
  const taken = new Set<string>()
  for (const { type, title, datasource, targets, gridPos } of panels) {
    assert.ok(title)
    const { x, y, w, h } = gridPos
    assert.ok(x >= 0 && x + w <= 24, `${title} is too wide`)
    for (let at = 0; at < w * h; at++) {
      const cell = `${x + (at % w)} ${y + Math.floor(at / w)}`
      assert.not(taken.has(cell), `${title} lies on another`)
      taken.add(cell)
    }
    if (type === 'row') continue
    for (const one of [{ datasource }, ...targets]) {
      assert.equal(one.datasource, { type: 'prometheus', uid: SOURCE }, title)
    }
    assert.is(new Set(targets.map(({ refId }: any) => refId)).size, targets.length, title)
  }
})

test('has legends that name only labels that are left', () => {
  for (const { title, expr, legend } of shown) {
    const { groups, selectors } = readExpression(expr)
    const isGrouped = groups.length > 0 || /^(sum|max|min|avg)\b/.test(expr)
    const left = isGrouped ? groups : selectors.flatMap(({ metric }) => [...labelsOf(metric)])
    const named = namesIn(legend, /\{\{(\w+)\}\}/g)
    assert.equal(
      named.filter((name) => !left.includes(name)),
      [],
      title,
    )
  }
})

test('would object to what is not there', () => {
  const objection = (expr: string) => readExpression(expr).selectors.map(wrong)[0]
  assert.match(objection('max(escapement_nothing)')!, 'there is no metric')
  assert.match(objection('max(escapement_alarms{color="red"})')!, 'has no label color')
  assert.match(objection('max(escapement_alarms{state="opened"})')!, 'has no state opened')
  assert.match(objection('sum(escapement_fences_total)')!, 'is a counter')
  assert.match(objection('rate(escapement_due_tasks[5m])')!, 'is a gauge')
  assert.equal(strangers(['colour'], 'max by (colour) (escapement_alarms)'), ['colour'])
  assert.throws(() => readExpression('sum(rate(escapement_steps_total[5m])'), /no PromQL/)
  const rule = { alert: 'EscapementX', expr: '1', labels: { severity: 'info' } }
  const annotations = { summary: 'x', description: 'x' }
  const file = (more: object) => ({ groups: [{ name: 'g', rules: [{ ...rule, ...more }] }] })
  assert.is(Rules.safeParse(file({ annotations })).success, true)
  assert.is(Rules.safeParse(file({ annotations, severity: 'x' })).success, false)
  assert.is(Rules.safeParse(file({ annotations, for: '5 minutes' })).success, false)
  assert.is(
    Rules.safeParse(file({ annotations: { ...annotations, summary: '{{ secret }}' } })).success,
    false,
  )
})

test.run()
