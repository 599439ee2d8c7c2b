// `escapement describe` and `escapement history`: one resource, now and before.
// Promise: reads only; secrets stay masked and event payloads are not shown.
import type { Command } from 'commander'
import { masked } from '../../lib/mask.ts'
import type { FailureLine, HistoryLine } from '../../models/index.ts'
import type { RunLine } from '../../models/query.ts'
import { type Door, doing, type Globals, type Opened } from '../door.ts'
import { availabilityValue, resourceValue, runValue } from '../lists.ts'
import { cell, moment, table } from '../print.ts'
import { resourceWord, whole } from '../words.ts'
import { failureValue } from './failures.ts'
import { retired } from './retention.ts'

/** How much of each list `describe` shows. */
const MOST = 20

export function describeCommands(program: Command, door: Door): void {
  const describe = program
    .command('describe <kind/id>')
    .description('a resource: fields, tasks, what they wait for, failures, children')
  doing(describe, ([word], globals) =>
    door.withApp(globals, async (opened) => {
      const value = await gather(opened, word)
      door.show(globals, value, () => paragraphs(value))
    }),
  )
  const history = program
    .command('history <kind/id> [task]')
    .description('the steps of a resource, oldest first')
    .option('--limit <n>', 'the latest so many', whole('--limit', 1, 10_000), 100)
  doing<Globals & { limit: number }>(history, ([word, task], globals) =>
    door.withApp(globals, (opened) => printHistory(door, opened, globals, word, task)),
  )
}

type Described = Awaited<ReturnType<typeof gather>>

async function gather(opened: Opened, word: string) {
  const { app, query } = opened
  const { kind, id } = resourceWord(word)
  const found = await app.getByName(kind, id)
  const held = found.toJSON() as {
    id: string
    kind: string
    state: string
    parentId: string | null
    fields: Record<string, unknown>
  }
  const runs = await query.runs({ resourceId: held.id, limit: MOST })
  const tasks = await Promise.all(runs.map((run) => withWaiting(opened, run)))
  const failures = await app.history.failures(held.id, { limit: MOST })
  const children = await query.resources({ parentId: held.id, limit: MOST })
  return {
    ...held,
    ...app.registry.find(kind).route,
    availability: availabilityValue(found.availability),
    tasks,
    failures: failures.map(failed),
    children: children.map(resourceValue),
  }
}

async function withWaiting({ query }: Opened, run: RunLine) {
  const { kind: _, resourceId: __, ...value } = runValue(run)
  if (run.finishedAt !== null) return { ...value, mailbox: 0, timers: [], effects: [] }
  const { mailbox, timers, effects } = await query.waiting(run.taskId, run.task)
  return {
    ...value,
    mailbox,
    timers: timers.map((one) => ({ ...one, dueAt: moment(one.dueAt) })),
    effects: effects.map((one) => ({ ...one, notBefore: moment(one.notBefore) })),
  }
}

/** Of its own resource, and without its stack, which `escapement failures` shows. */
function failed(failure: FailureLine) {
  const { kind: _, resourceId: __, stack: ___, ...value } = failureValue(failure)
  return value
}

function paragraphs(described: Described) {
  const { kind, id, state, parentId, queue, fields, tasks, failures, children } = described
  const { status, ...said } = described.availability
  const efforts = tasks.flatMap((run) => run.effects.map((one) => effortRow(run.task, one)))
  const timers = tasks.flatMap((run) => run.timers.map((one) => [run.task, one.event, one.dueAt]))
  return [
    `${cell(`${kind}/${id}`)}\n`,
    pairsOf({ state, parent: parentId, ...(queue !== undefined && { queue }) }),
    titled('Availability', pairsOf(status === 'unknown' ? {} : { status, ...said })),
    titled('Fields', pairsOf(fields)),
    titled('Tasks', table(TASK_HEAD, tasks.map(taskRow))),
    titled('Timers', table(['task', 'event', 'due'], timers)),
    titled('Effects', table(EFFORT_HEAD, efforts)),
    titled('Failures', table(FAILURE_HEAD, failures.map(failureRow))),
    titled('Children', table(['resource', 'state'], children.map(childRow))),
  ].join('')
}

const TASK_HEAD = ['task', 'status', 'state', 'step', 'due', 'mailbox', 'run']
const taskRow = (run: Described['tasks'][number]) => [
  ...[run.task, run.status, run.state, run.step, run.dueAt, run.mailbox, run.taskId],
]
const EFFORT_HEAD = ['task', 'effect', 'attempt', 'not before', 'progress']
const effortRow = (task: string, one: Described['tasks'][number]['effects'][number]) => [
  ...[task, one.effect, one.attempt, one.notBefore, one.progress],
]
const FAILURE_HEAD = ['at', 'task', 'step', 'effect', 'attempt', 'error', 'message']
const failureRow = (one: Described['failures'][number]) => [
  ...[one.at, one.task, one.step, one.effect, one.attempt, one.code ?? one.class, one.message],
]
const childRow = (one: Described['children'][number]) => [`${one.kind}/${one.id}`, one.state]

const titled = (title: string, text: string) => (text === '' ? '' : `\n${title}\n${indented(text)}`)
const indented = (text: string) => text.replace(/^(?=.)/gm, '  ')

function pairsOf(values: Readonly<Record<string, unknown>>): string {
  const width = Math.max(0, ...Object.keys(values).map((name) => name.length))
  const lines = Object.entries(values).map(
    ([name, value]) => `${name.padEnd(width)}  ${cell(value)}\n`,
  )
  return lines.join('')
}

async function printHistory(
  door: Door,
  opened: Opened,
  options: Globals & { limit: number },
  word: string,
  task: string | undefined,
): Promise<void> {
  const { app } = opened
  const { kind, id } = resourceWord(word)
  const held = await app.getByName(kind, id)
  if (task !== undefined) app.registry.find(held.kind).runName(task)
  const { limit } = options
  const lines = await app.history.lines(held.id, {
    limit,
    ...(task !== undefined && { task, ignored: true }),
  })
  const values = lines.map(historyValue)
  for (const earlier of await retired(opened, held.id, lines)) {
    if (options.output === 'json') door.street.err.write(`${earlier}\n`)
    else door.say(earlier)
  }
  door.show(options, values, () => historyTable(values, options.output === 'wide'))
}

/** A panic's reason is the message of its error. */
const historyValue = ({ reason, message, at, ...line }: HistoryLine) => ({
  ...line,
  message: message === null ? null : masked(message),
  reason: reason === null ? null : masked(reason),
  at: moment(at),
})

function historyTable(lines: readonly ReturnType<typeof historyValue>[], isWide: boolean): string {
  const head = ['at', 'task', 'step', 'from', 'to', 'event', 'actor', 'reason', 'message']
  const rows = lines.map(({ at, task, step, from, to, event, actor, taskId, ...why }) => [
    ...[at, task, step, from, to, event, actor, why.reason, why.message],
    ...(isWide ? [taskId] : []),
  ])
  return rows.length === 0
    ? 'Nothing happened yet.\n'
    : table(isWide ? [...head, 'run'] : head, rows)
}
