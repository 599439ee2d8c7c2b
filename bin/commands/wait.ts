// `escapement wait`: until a task has become something.
// Promise: reads only; the exit status says whether it became that, may still, or cannot any more.
import type { Command } from 'commander'
import { toMs } from '../../lib/duration.ts'
import { fault } from '../../lib/errors.ts'
import type { StateValue } from '../../lib/machine.ts'
import type { Begun } from '../../models/index.ts'
import { handle, nameOf } from '../crowd.ts'
import { type Door, doing, type Globals } from '../door.ts'
import { resourceWord } from '../words.ts'

interface Wait extends Globals {
  readonly for: string
  readonly timeout: string
}

type Condition = string | ((snapshot: Begun) => boolean)

export function waitCommand(program: Command, door: Door): void {
  const wait = program
    .command('wait <kind/id> <task>')
    .description('wait until a task is done, has a tag or is in a state')
    .option(
      '--for <condition>',
      '`done`, `tag=NAME` or `state=NAME`, such as state=door.open',
      'done',
    )
    .option('--timeout <duration>', 'how long, a day at most', '30s')
  doing<Wait>(wait, async ([word, task], options) => {
    const { kind, id } = resourceWord(word)
    const condition = conditionOf(options.for)
    const timeoutMs = toMs(options.timeout, '--timeout')
    await door.withApp(options, async ({ app }) => {
      const held = await app.getByName(kind, id)
      const signal = door.street.stopped
      const { taskId, step, status, state } = await handle(held, task).waitFor(condition, {
        timeoutMs,
        signal,
      })
      const value = { kind: held.kind, id: held.id, task, taskId, step, status, state }
      door.tell(options, value, `${task} of ${nameOf(held)} is ${status} in ${state}`)
    })
  })
}

/** @throws ARGUMENT_INVALID */
function conditionOf(word: string): Condition {
  if (word === 'done') return 'done'
  const [what, ...rest] = word.split('=')
  const name = rest.join('=')
  if (what === 'tag' && name !== '') return (snapshot) => snapshot.hasTag(name)
  if (what === 'state' && name !== '') return isIn(name)
  const reason = `"${word}" is none of done, tag=NAME and state=NAME`
  throw fault('ARGUMENT_INVALID', { what: '--for', reason })
}

/** The state as lists show it, or one that it is beneath. */
function isIn(name: string): (snapshot: Begun) => boolean {
  const value = name
    .split('.')
    .reduceRight<StateValue | undefined>(
      (inner, key) => (inner === undefined ? key : { [key]: inner }),
      undefined,
    )
  return (snapshot) => snapshot.state === name || snapshot.matches(value as StateValue)
}
