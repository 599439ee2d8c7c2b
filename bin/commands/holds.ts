// `escapement pause` and `resume`: a run, a resource, a task of a kind, the queue.
// Promise: exactly one thing is named; each says whether it changed anything.
import type { Command } from 'commander'
import { fault } from '../../lib/errors.ts'
import type { Because, HoldTarget, PauseOptions } from '../../models/index.ts'
import { handle, nameOf } from '../crowd.ts'
import { type Change, changing, type Door, doing, type Opened } from '../door.ts'
import { moment } from '../print.ts'
import { resourceWord } from '../words.ts'

/** What is named, besides a resource. */
interface Named extends Change {
  readonly task?: string
  /** By its name, or true for the house's. */
  readonly queue?: string | true
}

interface Pause extends Named {
  readonly for?: string
  readonly until?: string
}

/** What is to be held or let go: a run of a resource, or a scope with its name for people. */
type What =
  | { readonly kind: string; readonly id: string; readonly run: string }
  | { readonly target: (opened: Opened) => Promise<HoldTarget>; readonly name: string }

export function holdsCommands(program: Command, door: Door): void {
  pauseCommand(program, door)
  resumeCommand(program, door)
}

/** The options of whoever holds something. */
export const ending = (command: Command): Command =>
  command
    .option('--for <duration>', 'how long, such as 1h; until it is let go, unless told')
    .option('--until <moment>', 'until when, such as 2026-01-31T12:00Z')

/** Who, why and how long. */
export const termsOf = (door: Door, options: Pause): PauseOptions => ({
  ...door.because(options),
  ...(options.for !== undefined && { for: options.for }),
  ...(options.until !== undefined && { until: options.until }),
})

function pauseCommand(program: Command, door: Door): void {
  const pause = naming(
    program
      .command('pause [kind/id] [task]')
      .description('hold a run (its timers stop too), a resource, a task of a kind or the queue'),
  )
  doing<Pause>(changing(ending(pause)), async ([word, task], options) => {
    const what = whatOf(word, task, options)
    const terms = termsOf(door, options)
    if ('run' in what && (options.for ?? options.until) !== undefined) {
      const reason =
        'a run is paused until it is resumed; pause its resource or its task name for a time'
      throw fault('ARGUMENT_INVALID', { what: options.for ? '--for' : '--until', reason })
    }
    await door.withApp(options, async (opened) => {
      if ('run' in what) return pauseRun(door, opened, what, options)
      const isNew = await opened.app.pause(await what.target(opened), terms)
      const scope = opened.app.holds.scopeOf(await what.target(opened))
      const hold = (await opened.app.holds.list()).find(
        (one) => one.scope === scope && one.by === 'pause',
      )
      const until = moment(hold?.until ?? null)
      const end = until === null ? 'until it is resumed' : `until ${until}`
      const sentence = `${what.name} ${isNew ? 'is' : 'was paused already, and is now'} paused ${end}`
      door.tell(options, { scope, isNew, until }, sentence)
    })
  })
}

function resumeCommand(program: Command, door: Door): void {
  const resume = naming(
    program.command('resume [kind/id] [task]').description('let go on what was paused'),
  )
  doing<Named>(changing(resume), async ([word, task], options) => {
    const what = whatOf(word, task, options)
    const because = door.because(options)
    await door.withApp(options, async (opened) => {
      if ('run' in what) return resumeRun(door, opened, what, options)
      const target = await what.target(opened)
      const changed = await opened.app.resume(target, because)
      const scope = opened.app.holds.scopeOf(target)
      const sentence = changed ? `${what.name} goes on` : `${what.name} is not paused`
      door.tell(options, { scope, changed }, sentence)
    })
  })
}

const naming = (command: Command): Command =>
  command
    .option('--task <kind.name>', 'a task of every resource of a kind')
    .option('--queue [name]', 'all that travels on a queue; on that of the house, unless named')

type Run = Extract<What, { run: string }>

async function pauseRun(door: Door, { app }: Opened, { kind, id, run }: Run, options: Change) {
  const held = await app.getByName(kind, id)
  const isNew = await handle(held, run).pause(door.because(options))
  const sentence = `${run} of ${nameOf(held)} is paused${isNew ? '' : ' already'}`
  door.tell(options, { kind: held.kind, id: held.id, task: run, isNew }, sentence)
}

async function resumeRun(
  door: Door,
  { app }: Opened,
  { kind, id, run }: Run,
  options: Because & Change,
) {
  const held = await app.getByName(kind, id)
  await handle(held, run).resume(door.because(options))
  const sentence = `${run} of ${nameOf(held)} goes on`
  door.tell(options, { kind: held.kind, id: held.id, task: run }, sentence)
}

/** @throws ARGUMENT_INVALID */
function whatOf(word: string | undefined, run: string | undefined, options: Named): What {
  const { task, queue } = options
  const named = [word, task, queue].filter((one) => one !== undefined)
  if (named.length !== 1) {
    const reason = 'name exactly one: KIND/ID, KIND/ID TASK, --task KIND.NAME or --queue NAME'
    throw fault('ARGUMENT_INVALID', { what: 'What is paused or resumed', reason })
  }
  if (task !== undefined) return { target: async () => ({ task }), name: `task ${task}` }
  if (queue !== undefined) {
    const name = queue === true ? 'the queue' : `queue ${queue}`
    return { target: async () => ({ queue }), name }
  }
  const { kind, id } = resourceWord(word as string)
  if (run !== undefined) return { kind, id, run }
  // The kind is part of the name: another one's id is no resource of it.
  const target = async ({ app }: Opened) => ({ resource: (await app.getByName(kind, id)).id })
  return { target, name: `${kind}/${id}` }
}
