// `escapement dev`: clock and worker in one process, told in plain lines.
// Promise: works with nothing configured; says what to try next; with --until-idle it ends when
// nothing is due any more, and its status tells whether anything is parked.
import type { Command } from 'commander'
import { EXIT, fault } from '../../lib/errors.ts'
import { type Door, doing, type Globals, type Opened } from '../door.ts'
import { tellEvents } from '../telling.ts'

interface Options extends Globals {
  readonly untilIdle?: boolean
}

/** How often an idle house is asked whether it still is. */
const LOOK_MS = 100

export function devCommand(program: Command, door: Door): void {
  const dev = program
    .command('dev')
    .description('run clock and worker here, and tell what happens')
    .option('--until-idle', 'end when nothing is due any more, now or later')
  doing<Options>(dev, async (_args, options) => {
    door.street.isService = true
    await door.withApp(options, (opened) => run(door, opened, options), { migrate: true })
  })
}

async function run(door: Door, opened: Opened, { untilIdle }: Options): Promise<void> {
  const { app } = opened
  const { street, time } = door
  introduce(door, opened)
  tellEvents(app.events, street, time)
  const watched = watch(opened)
  await seed(door, opened)
  await app.start()
  suggest(door, opened, untilIdle === true)
  while (!street.stopped.aborted && !watched.isBlind()) {
    if (untilIdle && (await watched.isIdle())) return conclude(door, opened)
    await time.sleep(LOOK_MS, street.stopped)
  }
  if (watched.isBlind()) throw fault('WORKER_BLIND')
  if (untilIdle) door.exit = EXIT.interrupted
}

/** Counts ticks in hand, so that a tick about to make something due is not taken for idleness. */
function watch({ app }: Opened) {
  const inHand = new Set<string>()
  let isBlind = false
  app.events.on('tick.started', ({ resourceId }) => void inHand.add(resourceId))
  app.events.on('tick.done', ({ resourceId }) => void inHand.delete(resourceId))
  app.events.on('tick.failed', ({ resourceId }) => void inHand.delete(resourceId))
  app.events.on('worker.stopped', () => {
    isBlind = true
  })
  return {
    isBlind: () => isBlind,
    isIdle: async () => inHand.size === 0 && (await app.isIdle()) && inHand.size === 0,
  }
}

function introduce(door: Door, { app, config, file }: Opened): void {
  const kinds = app.registry.kinds.map(({ name }) => name).join(', ') || 'no resources yet'
  const { setting, dataFolder, schema } = config
  const where = setting === 'embedded' ? `data in ${dataFolder}` : `schema ${schema}`
  door.say(`Escapement, ${setting} (${where})`)
  door.say(`App ${file.path}: ${kinds}`)
}

/** Fills a database that holds nothing, if the app file knows with what. */
async function seed(door: Door, { app, file, query }: Opened): Promise<void> {
  if (!file.seed || !(await query.isEmpty())) return
  door.say('The database is empty: seeding it.')
  await file.seed(app)
}

function suggest(door: Door, { app, config }: Opened, untilIdle: boolean): void {
  const [kind] = app.registry.kinds
  if (untilIdle || !kind) return
  const [task = 'TASK'] = kind.taskNames
  const when =
    config.setting === 'embedded' ? 'Stop with Ctrl-C, then try' : 'In another terminal, try'
  door.say(`${when}: escapement create ${kind.name}`)
  door.say(`     escapement start ${kind.name}/ID ${task}`)
  door.say('     escapement get tasks')
}

async function conclude(door: Door, { query }: Opened): Promise<void> {
  const panicked = await query.runs({ status: 'panicked' })
  if (panicked.length === 0) return door.say('Nothing is left to do.')
  const names = panicked.map(({ kind, resourceId, task }) => `${kind}/${resourceId} ${task}`)
  const tasks = [...names.slice(0, 5), ...(names.length > 5 ? ['…'] : [])].join(', ')
  throw fault('TASKS_PANICKED', { count: panicked.length, tasks })
}
