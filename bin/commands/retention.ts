// `escapement retention`: history that grew old, counted and removed.
// Promise: what would go is counted before anything goes; whoever interrupts is told how much was done by then.
import type { Command } from 'commander'
import { fault } from '../../lib/errors.ts'
import type { HistoryLine } from '../../models/index.ts'
import {
  lastRounds,
  type OldLine,
  type Retention,
  type RetiredSteps,
  retiredSteps,
} from '../../plugins/index.ts'
import { type Change, changing, type Door, doing, type Globals, type Opened } from '../door.ts'
import { moment, plain, table } from '../print.ts'
import { progress } from '../progress.ts'

interface Run extends Change {
  readonly dryRun?: boolean
}

export function retentionCommands(program: Command, door: Door): void {
  const retention = program.command('retention').description('history that grew old')
  const status = retention
    .command('status')
    .description('what would go now, by kind, and when something last went')
  doing<Globals>(status, (_args, options) =>
    door.withApp(options, async (opened) => {
      const old = (await keeperOf(opened).count()).map(oldValue)
      const rounds = await lastRounds(opened.app.rooms.database)
      const last = rounds.map((one) => ({ ...one, at: moment(one.at) }))
      door.show(options, { old, last }, () => {
        const said = table(
          ['rule', 'last', 'actor', 'reason'],
          last.map((one) => [one.rule, one.at, one.actor, one.reason]),
        )
        return `${oldTable(old, options.output === 'wide')}${said === '' ? '' : `\n${said}`}`
      })
    }),
  )
  const run = retention
    .command('run')
    .description('archive or drop now what is old, without waiting for the next round')
    .option('--dry-run', 'only count it')
  doing<Run>(changing(run), (_args, options) =>
    door.withApp(options, (opened) => running(door, opened, options)),
  )
}

async function running(door: Door, opened: Opened, options: Run): Promise<void> {
  const { street } = door
  const keeper = keeperOf(opened)
  const old = (await keeper.count()).map(oldValue)
  const matched = old.reduce((sum, { rows }) => sum + rows, 0)
  const told = { matched, old }
  if (options.output !== 'json') street.err.write(oldTable(old, options.output === 'wide'))
  if (options.dryRun) {
    const value = { ...told, removed: 0, files: [], dryRun: true, interrupted: false }
    return door.tell(options, value, `${matched} rows would be removed; nothing was changed`)
  }
  const bar = progress(street, 'rows', matched)
  let done = 0
  const onChunk = (rows: number) => {
    done += rows
    bar.add(rows)
  }
  const { actor = door.actor, reason = null } = door.because(options)
  const { rows, files } = await keeper
    .run({ onChunk, signal: street.stopped, actor, reason })
    .catch((thrown) => {
      street.err.write(`${done} of ${matched} rows were removed before it failed\n`)
      throw thrown
    })
    .finally(() => bar.stop())
  const interrupted = street.stopped.aborted
  const where = files.length > 0 ? `, ${files.length} files archived` : ''
  const sentence = `${interrupted ? 'interrupted: ' : ''}removed ${rows} of ${matched} rows${where}`
  door.tell(options, { ...told, removed: rows, files, dryRun: false, interrupted }, sentence)
}

/** Sentences about the runs of these lines whose first steps are not there any more. */
export async function retired(
  { app, file }: Opened,
  resourceId: string,
  lines: readonly HistoryLine[],
): Promise<string[]> {
  const shown = new Set(lines.map(({ taskId }) => taskId))
  const beginnings = (await app.history.beginnings(resourceId)).filter((one) =>
    shown.has(one.taskId),
  )
  if (beginnings.length === 0) return []
  const isKnown = pluginOf(file) !== undefined
  const found = isKnown ? await retiredSteps(app.rooms.database, resourceId) : []
  return beginnings.map(({ task, taskId, step }) => {
    const where = whereOf(found.find((one) => one.taskId === taskId))
    return plain(`The steps of ${task} (run ${taskId}) before step ${step} ${where}.`)
  })
}

function whereOf(steps: RetiredSteps | undefined): string {
  if (!steps) return 'were removed'
  const { folder, at } = steps
  return folder === null
    ? `were dropped, the last on ${moment(at)}`
    : `are archived in ${folder}, the last since ${moment(at)}`
}

const pluginOf = ({ definition }: Opened['file']): Retention | undefined =>
  definition.plugins?.find((plugin): plugin is Retention => plugin.name === 'retention')

/** @throws RETENTION_ABSENT where history is kept for ever: then there are no tables either */
function keeperOf({ app, file, time }: Opened) {
  const plugin = pluginOf(file)
  if (!plugin) throw fault('RETENTION_ABSENT')
  const { events, registry, notices, rooms } = app
  return plugin.keeper({ database: rooms.database, time, events, registry, notices })
}

const oldValue = ({ before, ...line }: OldLine) => ({ ...line, before: moment(before) })

function oldTable(old: readonly ReturnType<typeof oldValue>[], isWide: boolean): string {
  if (old.length === 0) return 'Nothing is old.\n'
  const head = ['rule', 'kind', 'rows', 'older than', 'archive']
  const rows = old.map(({ rule, kind, rows, before, folder, tables }) => {
    const row = [rule, kind, rows, before, folder ?? 'dropped']
    return isWide ? [...row, tables] : row
  })
  return table(isWide ? [...head, 'tables'] : head, rows)
}
