// `escapement workers`: who is at work, who fell silent, who went.
// Promise: reads only.
import type { Command } from 'commander'
import type { WorkerLine } from '../../models/query.ts'
import { type Door, doing, type Globals } from '../door.ts'
import { moment, table } from '../print.ts'
import { whole } from '../words.ts'

export function workersCommand(program: Command, door: Door): void {
  const workers = program
    .command('workers')
    .description('list clocks and workers: alive, stale (silent for too long), stopped')
    .option('--limit <n>', 'at most so many', whole('--limit', 1, 10_000), 100)
  doing<Globals & { limit: number }>(workers, (_args, options) =>
    door.withApp(options, async ({ query }) => {
      const lines = await query.workers(options)
      const values = lines.map(({ startedAt, seenAt, stoppedAt, ...line }) => ({
        ...line,
        startedAt: moment(startedAt),
        seenAt: moment(seenAt),
        stoppedAt: moment(stoppedAt),
      }))
      const rows = values.map((one) => [
        ...[one.id, one.role, one.status, one.host, one.pid, served(one)],
        ...[one.concurrency, one.startedAt, one.seenAt],
      ])
      const head = ['id', 'role', 'status', 'host', 'pid', 'queues', 'at once', 'started', 'seen']
      door.show(options, values, () => (rows.length === 0 ? 'Nothing found.\n' : table(head, rows)))
    }),
  )
}

/** `ticks=10,slow=2`, as ESCAPEMENT_QUEUES has it; of a clock the names alone. */
const served = ({ queue, queues }: Pick<WorkerLine, 'queue' | 'queues'>) =>
  Object.entries(queues ?? { [queue]: null })
    .map(([name, places]) => (places === null ? name : `${name}=${places}`))
    .join(',')
