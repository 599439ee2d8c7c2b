// `escapement breakers`: which there are and how they are; shut and opened by hand; what was done to one.
// Promise: a name is a dependency, or KIND.NAME for a task; what nobody knows is refused.
import type { Command } from 'commander'
import { fault } from '../../lib/errors.ts'
import type { BreakerStatus, HoldTarget } from '../../models/index.ts'
import { type Change, changing, type Door, doing, type Globals } from '../door.ts'
import { moment, table } from '../print.ts'
import { whole } from '../words.ts'
import { ending, termsOf } from './holds.ts'

interface Shut extends Change {
  readonly for?: string
  readonly until?: string
}

export function breakersCommands(program: Command, door: Door): void {
  const breakers = program
    .command('breakers')
    .description('breakers around dependencies and tasks: what is held after failures')
  const list = breakers
    .command('list', { isDefault: true })
    .description('every breaker of the app, and what ended behind it lately')
  doing<Globals>(list, (_args, options) =>
    door.withApp(options, async ({ app }) => {
      const all = (await app.holds.breakers()).map(shown)
      door.show(
        options,
        all,
        () => table(HEAD, all.map(Object.values)) || 'there are no breakers\n',
      )
    }),
  )
  const shut = breakers
    .command('shut <name>')
    .description('shut one by hand; after its time it tries again, without a time it stays shut')
  doing<Shut>(changing(ending(shut)), ([name], options) =>
    door.withApp(options, async ({ app }) => {
      const target = targetOf(name)
      const isNew = await app.holds.shut(target, { ...termsOf(door, options), by: 'breaker' })
      const sentence = `the breaker of ${name} ${isNew ? 'is shut' : 'was shut already, and has new terms'}`
      door.tell(options, { scope: app.holds.scopeOf(target), isNew }, sentence)
    }),
  )
  const open = breakers
    .command('open <name>')
    .description('open one by hand, and let go all that waited')
  doing<Change>(changing(open), ([name], options) =>
    door.withApp(options, async ({ app }) => {
      const target = targetOf(name)
      const because = door.because(options)
      const opened = await app.holds.open(target, { ...because, by: 'breaker' })
      const changed = (await app.holds.open(target, { ...because, by: 'limit' })) || opened
      const sentence = `the breaker of ${name} is open${changed ? '' : ' already'}`
      door.tell(options, { scope: app.holds.scopeOf(target), changed }, sentence)
    }),
  )
  historyCommand(breakers, door)
}

function historyCommand(breakers: Command, door: Door): void {
  const history = breakers
    .command('history <name>')
    .description('what was done to one, the latest first')
    .option('--limit <n>', 'the most lines', whole('--limit', 1, 10_000), 100)
  doing<Globals & { limit: number }>(history, ([name], options) =>
    door.withApp(options, async ({ app }) => {
      const lines = await app.holds.history(targetOf(name), options.limit)
      const rows = lines.map(({ at, by, event, until, actor, reason }) => {
        return { at: moment(at), by, event, until: moment(until), actor, reason }
      })
      const head = ['at', 'by', 'event', 'until', 'actor', 'reason']
      const text = () => table(head, rows.map(Object.values)) || `nothing was done to ${name}\n`
      door.show(options, rows, text)
    }),
  )
}

const HEAD = ['name', 'state', 'failed', 'of', 'shuts at', 'until', 'reason']

function shown({ scope, state, ok, failed, policy, until, reason }: BreakerStatus) {
  const name = scope.slice(scope.indexOf(':') + 1)
  const shuts =
    policy && `${policy.rate * 100} % of ${policy.least} in ${policy.withinMs / 1_000} s`
  return { name, state, failed, of: ok + failed, shuts, until: moment(until), reason }
}

/** @throws ARGUMENT_INVALID */
function targetOf(name: string): HoldTarget {
  if (name === '') throw fault('ARGUMENT_INVALID', { what: 'The name', reason: 'it is empty' })
  return name.includes('.') ? { task: name } : { dependency: name }
}
