// `escapement panics`: the runs that are parked, and what can be done about them, one by one or many at once.
// Promise: what goes on already is left alone; an empty filter chooses nothing unless --all says so.
import type { Command } from 'commander'
import { fault } from '../../lib/errors.ts'
import { masked } from '../../lib/mask.ts'
import type { PanicLine, PanicsWanted } from '../../models/index.ts'
import type { ParkedAct } from '../../models/panic.ts'
import { type Batch, batch } from '../batch.ts'
import { type Change, changing, type Door, doing, type Globals, type Opened } from '../door.ts'
import { moment, table } from '../print.ts'
import { resourceWord, whole } from '../words.ts'

interface Filter {
  readonly kind?: string
  readonly task?: string
  readonly state?: string
  readonly code?: string
  readonly class?: string
  readonly name?: string
}

type List = Globals & Omit<Filter, 'kind'> & { readonly limit: number }
type Act = Batch & Change & Filter & { readonly steps: number }

export function panicsCommands(program: Command, door: Door): void {
  const panics = program.command('panics').description('runs that are parked')
  const list = filtering(
    panics.command('list [kind|kind/id]').description('parked runs, the latest parked first'),
  ).option('--limit <n>', 'at most so many', whole('--limit', 1, 10_000), 100)
  doing<List>(list, ([word], { limit, ...options }) =>
    door.withApp(options, async (opened) => {
      const found = await opened.app.panics.list({ ...wanted(opened, word, options), limit })
      const values = found.map(panicValue)
      door.show(options, values, () => shown(values, options.output === 'wide'))
    }),
  )
  const retry = panics
    .command('retry [kind/id] [task]')
    .description('let parked runs go on from their last good steps')
  acting(door, retry, 'retried', () => ({ verb: 'retry' }))
  const goto = panics
    .command('goto <state> [kind/id] [task]')
    .description('put parked runs into a state of their machine')
  acting(door, goto, 'moved', (_options, [state = '']) => ({ verb: 'goto', state }))
  const stop = panics.command('stop [kind/id] [task]').description('end parked runs')
  acting(door, stop, 'stopped', () => ({ verb: 'stop' }))
  const rewind = panics
    .command('rewind [kind/id] [task]')
    .description('take parked runs back; what they did since is done again')
    .requiredOption('--steps <n>', 'how many steps', whole('--steps', 1, 1_000_000))
  acting(door, rewind, 'taken back', ({ steps }) => ({ verb: 'rewind', steps }))
}

const filtering = (command: Command): Command =>
  command
    .option('--task <task>', 'only runs of this task')
    .option('--state <state>', 'only those that were in this state')
    .option('--code <code>', 'only those whose error has this code')
    .option('--class <class>', 'only those whose error is of this class')
    .option('--name <name>', 'only panic, timeout, poison or stranded')

/** A verb for one parked run, or for all that a filter chooses. */
function acting(
  door: Door,
  command: Command,
  past: string,
  actOf: (options: Act, args: readonly string[]) => ParkedAct,
): void {
  filtering(command)
    .option('--kind <kind>', 'only runs of resources of this kind')
    .option('--all', 'every parked run')
    .option('--dry-run', 'only count them')
  doing<Act>(changing(command), (args, options) => {
    const act = actOf(options, args)
    const [word, task] = args.slice(-2)
    if (word !== undefined) {
      refuseFilter(options)
      resourceWord(word)
      if (task === undefined) throw invalid(`"${word}"`, 'name its task after it')
    }
    return door.withApp(options, (opened) =>
      word === undefined
        ? many(door, opened, act, past, options)
        : one(door, opened, act, { word, task, past }, options),
    )
  })
}

async function one(
  door: Door,
  { app }: Opened,
  act: ParkedAct,
  { word, task, past }: { word: string; task: string; past: string },
  options: Act,
): Promise<void> {
  const named = resourceWord(word)
  const { kind, id } = await app.getByName(named.kind, named.id)
  const found = app.registry.find(kind)
  found.runName(task)
  const [parked] = await app.panics.list({ resourceId: id, task })
  // What is wrong with one alone is its error, and no number.
  const changed = parked !== undefined && (await app.panics.act(parked, act, door.because(options)))
  const sentence = `${changed ? past : 'not parked:'} ${task} of ${kind}/${id}`
  door.tell(options, { kind, id, task, verb: act.verb, changed }, sentence)
}

async function many(
  door: Door,
  opened: Opened,
  act: ParkedAct,
  past: string,
  options: Act,
): Promise<void> {
  const { panics, registry } = opened.app
  const { all = false, kind, task } = options
  const which = wanted(opened, kind, options)
  if (act.verb === 'goto' && kind !== undefined && task !== undefined) {
    const { states } = registry.find(kind).task(task)
    if (!states.includes(act.state))
      throw invalid(`The state "${act.state}"`, `${kind}.${task} has: ${states.join(', ')}`)
  }
  const matched = await panics.count(which)
  if (!all && Object.keys(which).length === 0) {
    const reason = `it is empty and would choose all ${matched} panics; give --kind, --task, --state, --code, --class or --name, or say --all`
    throw invalid('The filter', reason)
  }
  const because = door.because(options)
  await batch(door, options, {
    ...{ what: 'panics', verb: act.verb, past, matched },
    work: (lane) => panics.does(act, { ...which, all }, { ...because, ...lane }),
  })
}

/** @throws RESOURCE_KIND_UNKNOWN, TASK_UNKNOWN, ARGUMENT_INVALID */
function wanted({ app }: Opened, word: string | undefined, filter: Filter): PanicsWanted {
  const { kind, id } = word?.includes('/') ? resourceWord(word) : { kind: word, id: undefined }
  const found = kind === undefined ? null : app.registry.find(kind)
  const { task, state, code, class: name } = filter
  if (found && task !== undefined) found.runName(task)
  return {
    ...(id !== undefined ? { resourceId: id } : kind !== undefined && { kind }),
    ...(task !== undefined && { task }),
    ...(state !== undefined && { state }),
    ...(code !== undefined && { code }),
    ...(name !== undefined && { class: name }),
    ...(filter.name !== undefined && { name: filter.name }),
  }
}

/** A panic as JSON. */
export const panicValue = ({ since, error, ...panic }: PanicLine) => ({
  ...panic,
  error: error && { ...error, message: masked(error.message) },
  since: moment(since),
})

function shown(values: readonly ReturnType<typeof panicValue>[], isWide: boolean): string {
  if (values.length === 0) return 'Nothing is parked.\n'
  const head = ['since', 'resource', 'task', 'state', 'name', 'attempts', 'error', 'message']
  const wideHead = ['alarm', 'owner', 'status', 'severity', 'class', 'playbook', 'run']
  const rows = values.map((panic) => {
    const { error, alarm } = panic
    const where = [panic.since, `${panic.kind}/${panic.resourceId}`, panic.task, panic.state]
    const what = [panic.name, panic.attempts, error?.code ?? error?.class, error?.message]
    const helped = [alarm?.state, alarm?.owner, panic.status, error?.severity, error?.class]
    return [...where, ...what, ...(isWide ? [...helped, panic.playbook, panic.taskId] : [])]
  })
  return table(isWide ? [...head, ...wideHead] : head, rows)
}

const invalid = (what: string, reason: string) => fault('ARGUMENT_INVALID', { what, reason })

function refuseFilter({ kind, task, state, code, class: name, all, dryRun, ...more }: Act): void {
  const given = [kind, task, state, code, name, more.name, all, dryRun]
  if (given.every((value) => value === undefined)) return
  throw invalid('The filter', 'filters, --all and --dry-run are for many; leave KIND/ID TASK out')
}
