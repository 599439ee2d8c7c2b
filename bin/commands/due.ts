// `escapement due`: what falls due, and what is late.
// Promise: reads only; the latest of the late come first.
import type { Command } from 'commander'
import { toMs } from '../../lib/duration.ts'
import { span } from '../../lib/span.ts'
import { type Door, doing, type Globals } from '../door.ts'
import { moment, table } from '../print.ts'
import { whole } from '../words.ts'

interface Options extends Globals {
  readonly within: string
  readonly kind?: string
  readonly limit: number
}

export function dueCommand(program: Command, door: Door): void {
  const due = program
    .command('due')
    .description('list what falls due, late ones first')
    .option('--within <duration>', 'how far ahead, such as 5m or 1d', '1h')
    .option('--kind <kind>', 'only resources of this kind')
    .option('--limit <n>', 'at most so many', whole('--limit', 1, 10_000), 100)
  doing<Options>(due, (_args, options) => {
    const { within, kind, limit } = options
    const withinMs = toMs(within, '--within')
    return door.withApp(options, async ({ app, query, time }) => {
      const wanted = kind === undefined ? {} : { kind: app.registry.find(kind).name }
      const lines = await query.dues({ until: time.now() + withinMs, limit, ...wanted })
      const values = lines.map(({ dueAt, ...line }) => ({ ...line, dueAt: moment(dueAt) }))
      const rows = lines.map(({ dueAt, lateMs, reason, ...one }) => [
        ...[`${one.kind}/${one.resourceId}`, one.task, one.status, moment(dueAt)],
        lateMs === null ? `in ${span(dueAt - time.now())}` : `late by ${span(lateMs)}`,
        reason,
      ])
      const head = ['resource', 'task', 'status', 'due', 'when', 'reason']
      door.show(options, values, () => (rows.length === 0 ? 'Nothing found.\n' : table(head, rows)))
    })
  })
}
