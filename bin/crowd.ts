// One resource or many: how verbs find what they are for, and tell what they did.
// Promise: an empty filter chooses nothing unless --all says so; a dry run counts and changes nothing;
// a resource that refuses is counted and does not keep the others from their turn.
import type { Command } from 'commander'
import { EscapementError, EXIT, fault } from '../lib/errors.ts'
import { taskOf } from '../models/dress.ts'
import type { Resource, TaskHandle } from '../models/index.ts'
import { type Change, changing, type Door, doing, type Opened } from './door.ts'
import { chosen, type Wanted } from './lists.ts'
import { resourceWord } from './words.ts'

/** Options of verbs that can be for many. */
export interface Crowd extends Change, Pick<Wanted, 'state' | 'where'> {
  readonly all?: boolean
  readonly dryRun?: boolean
}

/** What was done to one resource: as JSON, and as a sentence. */
export interface Told {
  readonly value: { readonly changed?: boolean; readonly [key: string]: unknown }
  readonly sentence: string
}

/** A verb for one resource; `task` may be absent where the command allows it. */
export type Verb = (held: Resource, task: string) => Promise<Told>

/** How a resource is called on the command line. */
export const nameOf = ({ kind, id }: Resource): string => `${kind}/${id}`

/** The handle of a task, its name checked. @throws TASK_UNKNOWN */
export const handle = (held: Resource, task: string): TaskHandle<any> => taskOf(held, task)

/** A verb for one resource. */
export function forOne<O extends Change>(
  door: Door,
  command: Command,
  verb: (held: Resource, args: any[], options: O, opened: Opened) => Promise<Told>,
): void {
  doing<O>(changing(command), (args, options) =>
    door.withApp(options, async (opened) => {
      const { kind, id } = resourceWord(args[0])
      const held = await opened.app.getByName(kind, id)
      tell(door, options, held, await verb(held, args, options, opened))
    }),
  )
}

/**
 * A verb for one resource, or for all that a filter chooses.
 * @param prepare reads the options once, before anything is opened
 */
export function forOneOrMany<O extends Crowd>(
  door: Door,
  command: Command,
  prepare: (options: O, args: any[]) => Promise<Verb>,
): void {
  command
    .option('--where <name=value...>', 'many: those with these values')
    .option('--state <state>', 'many: those in this state')
    .option('--all', 'many: all of the kind')
    .option('--dry-run', 'many: only count them')
  doing<O>(changing(command), async (args, options) => {
    const [word, task] = args
    const isOne = word.includes('/')
    if (isOne) refuseFilter(options)
    const verb = await prepare(options, args)
    await door.withApp(options, async (opened) => {
      if (!isOne) return many(door, opened, word, task, verb, options)
      const { kind, id } = resourceWord(word)
      const held = await opened.app.getByName(kind, id)
      tell(door, options, held, await verb(held, task))
    })
  })
}

function tell(
  door: Door,
  options: Change,
  { kind, id }: Resource,
  { value, sentence }: Told,
): void {
  door.tell(options, { kind, id, ...value }, sentence)
}

async function many(
  door: Door,
  opened: Opened,
  kindName: string,
  task: string | undefined,
  verb: Verb,
  options: Crowd,
): Promise<void> {
  const kind = opened.app.registry.find(kindName)
  if (task !== undefined) kind.task(task)
  const found = chosen(opened, kind, options)
  const matched = await found.count()
  if (!options.all && isEmpty(options)) refuseEmpty(kind.name, matched)
  const what = { kind: kind.name, task: task ?? null, matched }
  if (options.dryRun) {
    const sentence = `${matched} of ${kind.name} would be asked; nothing was changed`
    return door.tell(options, { ...what, changed: 0, refused: {}, dryRun: true }, sentence)
  }
  const { changed, refused } = await each(door, found, (held) => verb(held, task as string))
  const refusals = Object.entries(refused).map(([code, count]) => `, ${count} refused (${code})`)
  const sentence = `changed ${changed} of ${matched} ${kind.name}${refusals.join('')}`
  door.tell(options, { ...what, changed, refused, dryRun: false }, sentence)
}

async function each(
  door: Door,
  found: AsyncIterable<Resource>,
  verb: (held: Resource) => Promise<Told>,
) {
  let changed = 0
  const refused: Record<string, number> = {}
  for await (const held of found) {
    if (door.street.stopped.aborted) break
    try {
      const { value } = await verb(held)
      if (value.changed !== false) changed += 1
    } catch (thrown) {
      if (!(thrown instanceof EscapementError) || thrown.exit !== EXIT.conflict) throw thrown
      refused[thrown.code] = (refused[thrown.code] ?? 0) + 1
    }
  }
  return { changed, refused }
}

const isEmpty = ({ where, state }: Crowd) => state === undefined && (where ?? []).length === 0

function refuseEmpty(kind: string, matched: number): never {
  const reason = `it is empty and would choose all ${matched} of ${kind}; give --where or --state, or say --all`
  throw fault('ARGUMENT_INVALID', { what: 'The filter', reason })
}

function refuseFilter(options: Crowd): void {
  if (isEmpty(options) && !options.all && !options.dryRun) return
  const reason = '--where, --state, --all and --dry-run are for many; give KIND instead of KIND/ID'
  throw fault('ARGUMENT_INVALID', { what: 'The filter', reason })
}
