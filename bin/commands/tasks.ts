// Commands about tasks: start, stop, send, restart, rewind, retry.
// Promise: each tells what it changed; what is refused changed nothing.
import type { Command } from 'commander'
import { fault } from '../../lib/errors.ts'
import { type Crowd, forOne, forOneOrMany, handle, nameOf, type Told, type Verb } from '../crowd.ts'
import type { Change, Door } from '../door.ts'
import { data, dataObject, whole } from '../words.ts'

export function taskCommands(program: Command, door: Door): void {
  startCommand(program, door)
  stopCommand(program, door)
  sendCommand(program, door)
  const restart = program
    .command('restart <kind/id>')
    .description('stop all tasks of a resource and start it anew')
  forOne(door, restart, async (held, _args, options) => {
    await held.restart(door.because(options))
    return { value: {}, sentence: `restarting ${nameOf(held)}` }
  })
  const rewind = program
    .command('rewind <kind/id> <task>')
    .description('take a run back; what it did since is done again')
    .requiredOption('--steps <n>', 'how many steps', whole('--steps', 1, 1_000_000))
  forOne<Change & { steps: number }>(door, rewind, async (held, [, task], options) => {
    const to = await handle(held, task).rewind(options.steps, door.because(options))
    return {
      value: { task, ...to },
      sentence: `${task} of ${nameOf(held)} is in ${to.state} again`,
    }
  })
  const retry = program
    .command('retry <kind/id> <task>')
    .description('let a panicked run go on from its last good step')
  forOne(door, retry, async (held, [, task], options) => {
    await handle(held, task).retry(door.because(options))
    return { value: { task }, sentence: `${task} of ${nameOf(held)} goes on` }
  })
}

function startCommand(program: Command, door: Door): void {
  const start = program
    .command('start <kind/id> [task]')
    .description('start a resource, or a task of it; KIND with --where or --all is for many')
    .option('--data <json>', 'what the task is given: JSON, @file, or - for standard input')
  forOneOrMany<Crowd & { data?: string }>(door, start, async (options, [, task]) => {
    if (task === undefined && options.data !== undefined) {
      throw fault('ARGUMENT_INVALID', {
        what: '--data',
        reason: 'only a task can be given something; name one',
      })
    }
    const given = await data(door.street, options.data)
    const because = door.because(options)
    if (task === undefined) {
      return async (held) => {
        await held.start(because)
        return { value: {}, sentence: `started ${nameOf(held)}` }
      }
    }
    return async (held) => {
      const { taskId, isNew } = await handle(held, task).start(given, because)
      const done = isNew ? 'started' : 'already running:'
      const sentence = `${done} ${task} of ${nameOf(held)}, run ${taskId}`
      return { value: { task, taskId, changed: isNew }, sentence }
    }
  })
}

function stopCommand(program: Command, door: Door): void {
  const stop = program
    .command('stop <kind/id> [task]')
    .description('stop a resource, or a task of it; KIND with --where or --all is for many')
    .option('--force', 'a task: at once, without its exit machine')
  forOneOrMany<Crowd & { force?: boolean }>(door, stop, async (options, [, task]) => {
    const { force = false } = options
    if (force && task === undefined) {
      const reason = 'only a task can be stopped by force; name one'
      throw fault('ARGUMENT_INVALID', { what: '--force', reason })
    }
    const because = { ...door.because(options), ...(force && { force }) }
    return async (held, task?: string): Promise<Told> => {
      if (task === undefined) {
        await held.stop(because)
        return { value: {}, sentence: `stopping ${nameOf(held)}` }
      }
      const changed = await handle(held, task).stop(because)
      const status = changed ? (await handle(held, task).status())?.status : undefined
      const done = changed ? (status === 'stopping' ? 'stopping' : 'stopped') : 'not running:'
      return { value: { task, changed }, sentence: `${done} ${task} of ${nameOf(held)}` }
    }
  })
}

interface Send extends Crowd {
  readonly data?: string
  readonly dedupKey?: string
  readonly expiresIn?: string
}

function sendCommand(program: Command, door: Door): void {
  const send = program
    .command('send <kind/id> <task> <event>')
    .description('send a task an event; KIND with --where or --all is for many')
    .option(
      '--data <json>',
      'what the event carries: a JSON object, @file, or - for standard input',
    )
    .option('--dedup-key <key>', 'a second event with this key is refused')
    .option('--expires-in <duration>', 'drop the event if nobody took it by then, such as 5m')
  forOneOrMany<Send>(door, send, async (options, [, , type]): Promise<Verb> => {
    const carried = await dataObject(door.street, options.data)
    if (Object.hasOwn(carried, 'type')) {
      const reason = 'it has a key "type"; the event is named on the command line'
      throw fault('ARGUMENT_INVALID', { what: '--data', reason })
    }
    const { dedupKey, expiresIn } = options
    const more = {
      ...door.because(options),
      ...(dedupKey !== undefined && { dedupKey }),
      ...(expiresIn !== undefined && { expiresIn }),
    }
    return async (held, task) => {
      await handle(held, task).send({ ...carried, type }, more)
      return {
        value: { task, event: type },
        sentence: `sent ${type} to ${task} of ${nameOf(held)}`,
      }
    }
  })
}
