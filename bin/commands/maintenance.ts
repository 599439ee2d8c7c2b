// `escapement maintenance`: times in which nobody is told of some alarms.
// Promise: each has a reason and an end; alarms open and close meanwhile as always.
import type { Command } from 'commander'
import { toMs } from '../../lib/duration.ts'
import { fault } from '../../lib/errors.ts'
import type { Maintenance } from '../../models/index.ts'
import { type Change, changing, type Door, doing } from '../door.ts'
import { moment, table } from '../print.ts'
import { instant, resourceWord } from '../words.ts'

interface Add extends Change {
  readonly kind?: string
  readonly resource?: string
  readonly name?: string
  readonly from?: number
  readonly until?: number
  readonly for?: string
}

export function maintenanceCommands(program: Command, door: Door): void {
  const maintenance = program
    .command('maintenance')
    .description('times in which nobody is told of some alarms')
  const list = maintenance.command('list').description('those that are not over')
  doing(list, (_args, options) =>
    door.withApp(options, async ({ app }) => {
      const values = (await app.alarms.maintenances()).map(maintenanceValue)
      door.show(options, values, () => shown(values))
    }),
  )
  addCommand(maintenance, door)
  const end = maintenance.command('end <id>').description('end one before its time')
  doing(end, ([id], options) =>
    door.withApp(options, async ({ app }) => {
      if (!(await app.alarms.endMaintenance(id))) throw fault('MAINTENANCE_UNKNOWN', { id })
      door.tell(options, { id }, `the maintenance ${id} is over`)
    }),
  )
}

function addCommand(maintenance: Command, door: Door): void {
  const add = maintenance
    .command('add')
    .description('tell nobody of alarms for a time; --reason is required')
    .option('--kind <kind>', 'only alarms of resources of this kind')
    .option('--resource <kind/id>', 'only alarms of this one, and of all that belong to it')
    .option('--name <name>', 'only alarms of this name')
    .option('--from <moment>', 'from then on, in place of now', instant('--from'))
    .option('--until <moment>', 'until then, such as 2026-01-31T12:00Z', instant('--until'))
    .option('--for <duration>', 'so long, such as 2h')
  doing<Add>(changing(add), (_args, options) => {
    const { from, until, kind, name, resource } = options
    if ((until === undefined) === (options.for === undefined)) {
      const reason = 'it has one end; give either --for or --until'
      throw fault('ARGUMENT_INVALID', { what: 'The maintenance', reason })
    }
    const forMs = options.for === undefined ? 0 : toMs(options.for, '--for')
    const named = resource === undefined ? null : resourceWord(resource)
    return door.withApp(options, async ({ app, time }) => {
      const held = named && (await app.getByName(named.kind, named.id))
      const fromAt = from ?? time.now()
      const made = await app.alarms.maintain({
        ...door.because(options),
        ...(kind !== undefined && { kind }),
        ...(held && { resourceId: held.id }),
        ...(name !== undefined && { name }),
        fromAt,
        untilAt: until ?? fromAt + forMs,
      })
      const value = maintenanceValue(made)
      door.tell(options, value, `maintenance ${made.id} until ${value.untilAt}`)
    })
  })
}

const maintenanceValue = ({ fromAt, untilAt, ...made }: Maintenance) => ({
  ...made,
  fromAt: moment(fromAt),
  untilAt: moment(untilAt),
})

function shown(values: readonly ReturnType<typeof maintenanceValue>[]): string {
  if (values.length === 0) return 'No maintenance is planned.\n'
  const head = ['from', 'until', 'kind', 'resource', 'name', 'actor', 'reason', 'maintenance']
  const rows = values.map((one) => [
    ...[one.fromAt, one.untilAt, one.kind, one.resourceId, one.name, one.actor, one.reason, one.id],
  ])
  return table(head, rows)
}
