// Batches of plain units, drawn at random, and the tables they come to.
// Promise: every unit is plain; whatever may be right or wrong about it is both, often enough; no two are of one task.
import fc from 'fast-check'
import type { Json } from '../../lib/codec.ts'
import { newToken } from '../../lib/id.ts'
import type { Unit } from '../../lib/unit.ts'
import { AUTHOR, TOLD_MS } from './pen.ts'

/** What is in the tables, and what comes to them. */
export interface Batch {
  /** Rows by table, in the order in which they may be written. */
  readonly rows: readonly (readonly [table: string, rows: readonly object[]])[]
  /** Tasks that have an alarm which closes when they move, and their resource. */
  readonly alarmed: readonly { readonly taskId: string; readonly resourceId: string }[]
  readonly units: readonly Unit[]
}

const text = fc.string({ maxLength: 5 })
const json: fc.Arbitrary<Json> = fc.oneof(
  ...[
    fc.constant(null),
    fc.integer(),
    fc.boolean(),
    text,
    fc.array(fc.integer(), { maxLength: 2 }),
  ],
  fc.dictionary(text, fc.integer(), { maxKeys: 2, noNullPrototype: true }),
)
const maybe = <T>(value: fc.Arbitrary<T>, freq = 3) => fc.option(value, { freq })
/** Mostly the first. */
const mostly = <T>(usual: T, ...others: T[]) =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, fc.constantFrom(...others))
const name = fc.constantFrom('a', 'b', 'c', "d'\\")
const reason = fc.constantFrom('event', 'timer', 'waiting')
/** From now, in milliseconds: what is due, what will be, what was told just now or long ago, and nothing. */
const moment = fc.constantFrom(
  ...[null, 0, -1, 1, -60_000, 60_000, TOLD_MS, TOLD_MS / 2, TOLD_MS / 2 + 1],
)
/** Due now as often as anything else: what is due already, and is to be due again, is what a ring is lost in. */
const now = fc.oneof(fc.constant(0), moment)

const drawnUnit = fc.record({
  fence: mostly(0, -1, 1),
  expected: mostly(0, -1, 1),
  isFinished: fc.boolean(),
  isResting: fc.boolean(),
  state: text,
  tries: maybe(json),
  system: maybe(json),
  due: maybe(fc.record({ at: now, reason: maybe(reason, 1), wakes: mostly(0, -1) }), 5),
  fields: maybe(
    fc.record({
      set: fc.dictionary(name, json, { maxKeys: 2, noNullPrototype: true }),
      unset: fc.uniqueArray(name, { maxLength: 2 }),
      aside: fc.dictionary(name, fc.integer(), { maxKeys: 1, noNullPrototype: true }),
      version: fc.constantFrom(0, 0, null, 1, -1),
    }),
    2,
  ),
  line: fc.record({
    ...{ base: maybe(fc.nat(3)), from: text, to: text, event: text, payload: json },
    ...{
      snapshot: json,
      actor: text,
      reason: maybe(text),
      message: fc.option(text, { nil: undefined }),
    },
  }),
})

const drawnTask = fc.record({
  step: fc.nat(2),
  status: mostly('running', 'paused', 'stopping'),
  isEnded: mostly(false, true),
  isAlarmed: mostly(false, true),
  strikes: fc.nat(2),
  due: maybe(
    fc.record({ at: now, look: fc.oneof(fc.constant(TOLD_MS), moment), reason, wakes: fc.nat(2) }),
    8,
  ),
  /** Mail: unread, or read and kept for its key. */
  mail: fc.array(fc.boolean(), { maxLength: 2 }),
  unit: maybe(drawnUnit, 6),
})

const drawnResource = fc.record({
  version: fc.nat(2),
  fence: fc.nat(2),
  fields: fc.dictionary(name, json, { maxKeys: 3, noNullPrototype: true }),
  lost: maybe(fc.dictionary(name, fc.integer(), { minKeys: 1, maxKeys: 2, noNullPrototype: true })),
  tasks: fc.array(drawnTask, { minLength: 1, maxLength: 4 }),
})

type DrawnResource = typeof drawnResource extends fc.Arbitrary<infer T> ? T : never
type DrawnTask = DrawnResource['tasks'][number]

/** Batches at this moment, in milliseconds since 1970. */
export function batches(nowMs: () => number): fc.Arbitrary<Batch> {
  return fc
    .tuple(
      fc.array(drawnResource, { minLength: 1, maxLength: 3 }),
      fc.infiniteStream(fc.nat()),
      fc.option(fc.constantFrom('nothing', ...BESIDE), { freq: 3 }),
    )
    .map(([resources, dice, but]) => {
      const batch = batchOf(resources, nowMs(), dice)
      return but ? { ...batch, units: batch.units.map((unit) => usual(unit, but)) } : batch
    })
}

function batchOf(drawn: readonly DrawnResource[], nowMs: number, dice: Iterator<number>): Batch {
  const then = isoOf(nowMs - 1_000)
  const resources: object[] = []
  const leases: object[] = []
  const tasks: object[] = []
  const dues: object[] = []
  const events: object[] = []
  const alarmed: { taskId: string; resourceId: string }[] = []
  const units: { unit: Unit; place: number }[] = []
  for (const resource of drawn) {
    const id = newToken()
    const { version, fence, fields, lost: lost_and_found } = resource
    const times = { created_at: then, updated_at: then }
    resources.push({ id, kind: 'Thing', state: 'up', version, fields, lost_and_found, ...times })
    leases.push({ resource_id: id, fence })
    for (const [nth, task] of resource.tasks.entries()) {
      const task_id = newToken()
      const { isEnded, isAlarmed, step, status, strikes, due, mail } = task
      tasks.push({
        ...{ id: task_id, resource_id: id, name: `t${nth}`, machine_version: '1', step, strikes },
        ...{ rest_step: 0, status: isEnded ? 'done' : status, state: 's', started_at: then },
        ...{ is_alarmed: false, moved_at: then, finished_at: isEnded ? then : null },
      })
      if (due) {
        const { reason, wakes } = due
        const when = { due_at: after(nowMs, due.at), look_at: after(nowMs, due.look) }
        dues.push({ task_id, resource_id: id, reason, wakes, share: 'Thing', ...when })
      }
      for (const isRead of mail) events.push(mailOf(task_id, isRead ? then : null, then))
      if (isAlarmed && !isEnded) alarmed.push({ taskId: task_id, resourceId: id })
      const unit = unitOf(task, task_id, resource, id, nowMs)
      if (unit) units.push({ unit, place: dice.next().value })
    }
  }
  units.sort((a, b) => a.place - b.place)
  const rows = Object.entries({ resources, leases, tasks, dues, events })
  return { rows, alarmed, units: units.map(({ unit }) => unit) }
}

/** What a step may have that most have not. */
const BESIDE = ['restStep', 'state', 'tries', 'system', 'reason', 'message', 'fields'] as const

/** The same step with nothing of that, as most are, which travel in columns of their own; or with one thing. */
function usual(unit: Unit, but: 'nothing' | (typeof BESIDE)[number]): Unit {
  const { step, fields, ...others } = unit
  if (!step?.transition) return unit
  const { message, ...line } = step.transition
  const plain = { restStep: step.step, state: line.to, tries: null, system: null }
  const transition = {
    ...{ ...line, reason: but === 'reason' ? line.reason : null },
    ...(but === 'message' && message !== undefined && { message }),
  }
  const kept = but in plain ? { [but]: step[but as keyof typeof plain] } : {}
  return {
    ...others,
    step: { ...step, ...plain, ...kept, transition },
    ...(but === 'fields' && fields && { fields }),
  }
}

function unitOf(
  { step: at, due: entry, unit: drawn }: DrawnTask,
  taskId: string,
  { fence, version }: DrawnResource,
  resourceId: string,
  nowMs: number,
): Unit | null {
  if (!drawn) return null
  const { isFinished: finished, state, tries, system, line, due, fields } = drawn
  const expected = at + drawn.expected
  const step = expected + 1
  const what = {
    taskId,
    task: 't',
    resourceId,
    expected,
    step,
    restStep: drawn.isResting ? step : 0,
  }
  const status = finished ? ('done' as const) : ('running' as const)
  const wakes = (entry?.wakes ?? 0) + (due?.wakes ?? 0)
  return {
    id: newToken(),
    fence: { resourceId, fence: fence + drawn.fence },
    step: { ...what, status, state, tries, system, finished, transition: line as never },
    ...(due && {
      due: {
        ...{ taskId, at: due.at === null ? null : nowMs + due.at, wakes },
        reason: due.reason ?? entry?.reason ?? 'retry',
      },
    }),
    ...(fields && {
      fields: {
        ...{ resourceId, set: fields.set, aside: fields.aside },
        unset: fields.unset.filter((name) => !(name in fields.set)),
        version: fields.version === null ? null : version + fields.version,
      },
    }),
  }
}

const mailOf = (task_id: string, consumed_at: string | null, sent_at: string) => ({
  ...{ event_id: newToken(), task_id, type: 'GO', unit_id: newToken(), sent_at, consumed_at },
  ...{ ...AUTHOR, dedup_key: consumed_at && newToken() },
})

const isoOf = (ms: number) => new Date(ms).toISOString()
const after = (nowMs: number, ms: number | null) => (ms === null ? null : isoOf(nowMs + ms))
