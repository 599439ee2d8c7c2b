// `escapement alarms`: conditions that want a human, found, and seen to one by one or many at once.
// Promise: every word is kept with who and why; one that cannot be taken changes nothing.
import type { Command } from 'commander'
import { fault } from '../../lib/errors.ts'
import { masked } from '../../lib/mask.ts'
import type { AlarmChange, AlarmLine, AlarmsWanted, Because } from '../../models/index.ts'
import { lanes } from '../../models/lanes.ts'
import { type Batch, batch } from '../batch.ts'
import { type Change, changing, type Door, doing, type Globals, type Opened } from '../door.ts'
import { cell, moment, table } from '../print.ts'
import { instant, resourceWord, whole } from '../words.ts'

interface Filter {
  readonly severity?: string
  readonly name?: string
  readonly kind?: string
  readonly resource?: string
  readonly task?: string
}

type List = Globals & Filter & { readonly state: string; readonly limit: number }
type Act = Batch & Change & Filter & Silence & { readonly owner?: string }

interface Silence {
  readonly for?: string
  readonly until?: number | 'closed'
}

/** A word to one alarm, by its key. */
type Word = (opened: Opened, key: string, because: Because) => Promise<{ changed: boolean }>

export function alarmsCommands(program: Command, door: Door): void {
  const alarms = program.command('alarms').description('conditions that want a human')
  listCommands(alarms, door)
  const ack = alarms
    .command('ack [alarm...]')
    .description('say that somebody sees to alarms: they are told no more until they close')
    .option('--owner <name>', 'who does, in place of the actor')
  acting(door, ack, { verb: 'acknowledge', past: 'acknowledged', state: 'open' }, ({ owner }) => {
    const more = owner === undefined ? {} : { owner }
    return ({ app }, key, because) => app.alarms.acknowledge(key, { ...because, ...more })
  })
  const untilWord = (word: string) => (word === 'closed' ? word : instant('--until')(word))
  const silence = alarms
    .command('silence [alarm...]')
    .description('keep alarms from being told')
    .option('--for <duration>', 'so long, such as 1h')
    .option('--until <moment>', 'until then, or "closed": until it closes', untilWord)
  acting(door, silence, { verb: 'silence', past: 'silenced', state: 'active' }, (options) => {
    const { for: span, until } = options
    if ((span === undefined) === (until === undefined)) {
      const reason = 'it has one end; give either --for or --until'
      throw fault('ARGUMENT_INVALID', { what: 'The silence', reason })
    }
    const end = span === undefined ? { until: until as number | 'closed' } : { for: span }
    return ({ app }, key, because) => app.alarms.silence(key, { ...because, ...end })
  })
  const close = alarms
    .command('close [alarm...]')
    .description('close alarms, whatever they are about; raised again they open again')
  acting(door, close, { verb: 'close', past: 'closed', state: 'active' }, () => {
    return ({ app }, key, because) => app.alarms.close(key, because)
  })
  const reopen = alarms.command('reopen <alarm...>').description('open closed alarms again')
  doing<Change>(changing(reopen), ([names], options) =>
    door.withApp(options, (opened) => {
      const word: Word = ({ app }, key, because) => app.alarms.reopen(key, because)
      return named(door, opened, { verb: 'reopen', past: 'reopened' }, word, names, options)
    }),
  )
  noteCommand(alarms, door)
}

function listCommands(alarms: Command, door: Door): void {
  const list = filtering(alarms.command('list').description('alarms, the gravest first'))
    .option('--task <task>', 'only those of this task')
    .option(
      '--state <state>',
      'active (not closed), pending, open, reopened, acknowledged, silenced, closed or all',
      'active',
    )
    .option('--limit <n>', 'at most so many', whole('--limit', 1, 10_000), 100)
  doing<List>(list, (_args, { state, limit, ...options }) =>
    door.withApp(options, async (opened) => {
      const which = { ...wanted(opened, options), state: state as AlarmsWanted['state'] & string }
      const values = (await opened.app.alarms.list({ ...which, limit })).map(alarmValue)
      door.show(options, values, () => shown(values, options.output === 'wide'))
    }),
  )
  const get = alarms.command('get <alarm>').description('one alarm, by its id or its key')
  doing(get, ([alarm], options) =>
    door.withApp(options, async ({ app }) => {
      const value = alarmValue(await app.alarms.get(alarm))
      door.show(options, value, () => paragraph(value))
    }),
  )
  const history = alarms.command('history <alarm>').description('what became of it, oldest first')
  doing(history, ([alarm], options) =>
    door.withApp(options, async ({ app }) => {
      const values = (await app.alarms.history(alarm)).map(changeValue)
      const rows = values.map((one) => [
        ...[one.at, one.event, one.from, one.to, one.actor, one.reason],
      ])
      const head = ['at', 'event', 'from', 'to', 'actor', 'reason']
      door.show(options, values, () => table(head, rows))
    }),
  )
}

function noteCommand(alarms: Command, door: Door): void {
  const note = alarms
    .command('note <alarm>')
    .description('write a note at an alarm, or its owner; an empty text takes it away')
    .option('--text <text>', 'the note')
    .option('--owner <name>', 'who sees to it')
  doing<Change & { text?: string; owner?: string }>(changing(note), ([alarm], options) => {
    const { text, owner } = options
    if (text === undefined && owner === undefined) {
      const reason = 'it says nothing; give --text or --owner'
      throw fault('ARGUMENT_INVALID', { what: 'The note', reason })
    }
    return door.withApp(options, async ({ app }) => {
      await app.alarms.note(alarm, {
        ...door.because(options),
        ...(text !== undefined && { note: text || null }),
        ...(owner !== undefined && { owner: owner || null }),
      })
      const value = alarmValue(await app.alarms.get(alarm))
      door.tell(options, value, `noted at ${value.key}`)
    })
  })
}

const filtering = (command: Command): Command =>
  command
    .option('--severity <severity>', 'only those that are critical, error, warning or info')
    .option('--name <name>', 'only those of this name')
    .option('--kind <kind>', 'only those of resources of this kind')
    .option('--resource <kind/id>', 'only those of this resource')

interface Spoken {
  readonly verb: string
  readonly past: string
}

/** A word to alarms that are named, or to all that a filter chooses. */
function acting(
  door: Door,
  command: Command,
  spoken: Spoken & { readonly state: 'open' | 'active' },
  wordOf: (options: Act) => Word,
): void {
  filtering(command)
    .option('--all', `every alarm that is ${spoken.state}`)
    .option('--dry-run', 'only count them')
  doing<Act>(changing(command), ([names], options) => {
    const { severity, name, kind, resource, all = false, dryRun } = options
    const isEmpty = [severity, name, kind, resource].every((one) => one === undefined)
    if (names.length > 0 && !(isEmpty && !all && !dryRun)) {
      const reason = 'filters, --all and --dry-run are for many; name no alarms with them'
      throw fault('ARGUMENT_INVALID', { what: 'The filter', reason })
    }
    const word = wordOf(options)
    return door.withApp(options, async (opened) => {
      if (names.length > 0) return named(door, opened, spoken, word, names, options)
      const { alarms } = opened.app
      const which = { ...wanted(opened, options), state: spoken.state }
      const matched = await alarms.count(which)
      if (isEmpty && !all) {
        const reason = `it is empty and would choose all ${matched} alarms; name alarms, give --severity, --name, --kind or --resource, or say --all`
        throw fault('ARGUMENT_INVALID', { what: 'The filter', reason })
      }
      const because = door.because(options)
      const say = async ({ key }: { key: string }) => (await word(opened, key, because)).changed
      const work = (lane: object) => lanes(alarms.each(which), say, lane)
      await batch(door, options, { ...spoken, what: 'alarms', matched, work })
    })
  })
}

/** Alarms by their names: all are looked for before anything is said to one. */
async function named(
  door: Door,
  opened: Opened,
  spoken: Spoken,
  word: Word,
  names: readonly string[],
  options: Change,
): Promise<void> {
  const { alarms } = opened.app
  const because = door.because(options)
  const found = await Promise.all(names.map((name) => alarms.get(name)))
  const [only] = found
  if (only && found.length === 1) {
    const { changed } = await word(opened, only.key, because)
    const value = alarmValue(await alarms.get(only.id))
    return door.tell(options, { ...value, changed }, `${spoken.past} ${only.key}`)
  }
  const say = async ({ key }: { key: string }) => (await word(opened, key, because)).changed
  const work = (lane: object) => lanes(one(found), say, lane)
  await batch(door, options, { ...spoken, what: 'alarms', matched: found.length, work })
}

async function* one<T>(all: readonly T[]): AsyncGenerator<T> {
  yield* all
}

/** @throws RESOURCE_KIND_UNKNOWN, RESOURCE_UNKNOWN, ARGUMENT_INVALID */
function wanted({ app }: Opened, { severity, name, kind, resource, task }: Filter): AlarmsWanted {
  if (kind !== undefined) app.registry.find(kind)
  const held = resource === undefined ? null : resourceWord(resource)
  if (held) app.registry.find(held.kind)
  return {
    ...(severity !== undefined && { severity }),
    ...(name !== undefined && { name }),
    ...(kind !== undefined && { kind }),
    // Its alarms outlive a resource, so it need not be there any more.
    ...(held && { resourceId: held.id }),
    ...(task !== undefined && { task }),
  }
}

/** An alarm as JSON. */
export const alarmValue = ({ version: _, closes: __, ...alarm }: AlarmLine) => ({
  ...alarm,
  message: masked(alarm.message),
  firstSeenAt: moment(alarm.firstSeenAt),
  lastSeenAt: moment(alarm.lastSeenAt),
  openedAt: moment(alarm.openedAt),
  closedAt: moment(alarm.closedAt),
  silencedUntil: moment(alarm.silencedUntil),
})

const changeValue = ({ at, reason, ...change }: AlarmChange) => ({
  ...change,
  reason: reason === null ? null : masked(reason),
  at: moment(at),
})

type Value = ReturnType<typeof alarmValue>

const resourceOf = ({ kind, resourceId }: Value) => (resourceId ? `${kind}/${resourceId}` : kind)

function shown(values: readonly Value[], isWide: boolean): string {
  if (values.length === 0) return 'No alarms.\n'
  const head = ['severity', 'state', 'name', 'resource', 'task', 'count', 'opened', 'message']
  const wideHead = ['owner', 'inhibited', 'episode', 'first seen', 'last seen', 'playbook', 'key']
  const rows = values.map((one) => {
    const what = [one.severity, one.state, one.name, resourceOf(one), one.task, one.count]
    const inhibited = one.isInhibited ? 'yes' : 'no'
    const wide = [one.owner, inhibited, one.episode, one.firstSeenAt, one.lastSeenAt, one.playbook]
    const row = [...what, one.openedAt, one.message]
    return [...row, ...(isWide ? [...wide, one.key] : []), one.id]
  })
  return table([...head, ...(isWide ? wideHead : []), 'alarm'], rows)
}

function paragraph(alarm: Value): string {
  const { isInhibited, kind: _, resourceId: __, ...rest } = alarm
  const told = { ...rest, resource: resourceOf(alarm), inhibited: isInhibited ? 'yes' : 'no' }
  const width = Math.max(...Object.keys(told).map((name) => name.length))
  const lines = Object.entries(told).map(
    ([name, value]) => `${name.padEnd(width)}  ${cell(value)}\n`,
  )
  return lines.join('')
}
