// `escapement clock`, `worker` and `solo`: processes to be kept running by a supervisor.
// Promise: logs in JSON, drains on the first signal, ends at once on the second, and never lives on
// as a worker that works no more.
import type { Command } from 'commander'
import { fault } from '../../lib/errors.ts'
import { type App, attach } from '../../models/index.ts'
import { log } from '../../plugins/index.ts'
import { type Door, doing, type Opened } from '../door.ts'
import { whole } from '../words.ts'

export function serviceCommands(program: Command, door: Door): void {
  const concurrency = whole('--concurrency', 1, 1_000)
  const clock = program.command('clock').description('run a clock: it finds what is due')
  const worker = program
    .command('worker')
    .description('run a worker: it ticks what is due')
    .option('--concurrency <n>', 'how many resources at once', concurrency)
  const solo = program
    .command('solo')
    .description('run clock and worker in one process')
    .option('--concurrency <n>', 'how many resources at once', concurrency)
  serving(door, clock, async (app) => app.startClock())
  serving(door, worker, (app) => app.startWorker())
  serving(door, solo, (app) => app.start())
}

function serving(door: Door, command: Command, start: (app: App) => Promise<void>): void {
  doing(command, async (_args, options) => {
    const { street, time } = door
    street.isService = true
    await door.withApp(options, async ({ app, config }: Opened) => {
      const write = (line: string) => street.out.write(line)
      attach([log({ level: config.logLevel, time, write })], app.events)
      await start(app)
      await untilStopped(door, app)
    })
  })
}

/** @throws WORKER_BLIND when the worker stopped and nobody asked it to */
async function untilStopped({ street }: Door, app: App): Promise<void> {
  const { stopped } = street
  const isBlind = await new Promise<boolean>((resolve) => {
    if (stopped.aborted) resolve(false)
    stopped.addEventListener('abort', () => resolve(false), { once: true })
    app.events.on('worker.stopped', () => resolve(true))
  })
  if (isBlind) throw fault('WORKER_BLIND')
}
