// `escapement notices`: what was told and what could not be; dead letters sent again.
// Promise: an empty choice is refused; what would change is counted first; only dead letters are sent again.
import { type Command, Option } from 'commander'
import { fault } from '../../lib/errors.ts'
import {
  DELIVERY_STATUSES,
  Deliveries,
  type Delivery,
  type DeliveryStatus,
} from '../../plugins/index.ts'
import { type Change, changing, type Door, doing, type Globals, type Opened } from '../door.ts'
import { moment, table } from '../print.ts'
import { whole } from '../words.ts'

interface Listing extends Globals {
  readonly status?: DeliveryStatus
  readonly route?: string
  readonly limit: number
}

interface Retry extends Change {
  readonly route?: string
  readonly all?: boolean
  readonly dryRun?: boolean
}

export function noticesCommands(program: Command, door: Door): void {
  const notices = program.command('notices').description('who was told of what')
  const list = notices
    .command('list')
    .description('list deliveries, the latest first')
    .addOption(new Option('--status <status>', 'only these').choices([...DELIVERY_STATUSES]))
    .option('--route <name>', 'only those of this route')
    .option('--limit <n>', 'at most so many', whole('--limit', 1, 10_000), 100)
  doing<Listing>(list, (_args, options) =>
    door.withApp(options, async (opened) => {
      const found = (await deliveriesOf(opened).list(options)).map(shown)
      door.show(options, found, () => text(found, options.output === 'wide'))
    }),
  )
  const retry = notices
    .command('retry [id...]')
    .description('send dead letters again, with all their attempts before them')
    .option('--route <name>', 'those of this route')
    .option('--all', 'all of them')
    .option('--dry-run', 'only count them')
  doing<Retry>(changing(retry), ([ids], options) => retrying(door, ids, options))
}

async function retrying(door: Door, words: readonly string[], options: Retry): Promise<void> {
  const { route, all, dryRun = false } = options
  const bad = words.find((word) => !UUID.test(word))
  if (bad !== undefined) throw invalid(`"${bad}"`, 'it is no id of a delivery, see `notices list`')
  await door.withApp(options, async (opened) => {
    const deliveries = deliveriesOf(opened)
    const ids = words.length > 0 ? { ids: words } : {}
    const choice = { ...ids, ...(route !== undefined && { route }), ...(all && { all }) }
    if (Object.keys(choice).length === 0) {
      const count = await deliveries.dead({ all: true })
      const reason = `it is empty and would choose all ${count} dead letters; give ids or --route, or say --all`
      throw invalid('The filter', reason)
    }
    const matched = await deliveries.dead(choice)
    if (dryRun) {
      const sentence = `${matched} dead letters would be sent again; nothing was changed`
      return door.tell(options, { matched, changed: 0, dryRun }, sentence)
    }
    const { actor, reason = null } = door.because(options)
    const by = { actor: actor ?? door.actor, reason }
    const changed = await deliveries.retry(choice, by)
    const sentence = `${changed} of ${matched} dead letters are sent again`
    door.tell(options, { matched, changed, dryRun }, sentence)
  })
}

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i
const invalid = (what: string, reason: string) => fault('ARGUMENT_INVALID', { what, reason })

/** @throws NOTIFICATIONS_ABSENT where the app tells nobody: then there are no tables either */
function deliveriesOf({ app, file, time }: Opened): Deliveries {
  const { plugins = [] } = file.definition
  if (!plugins.some(({ name }) => name === 'notifications')) throw fault('NOTIFICATIONS_ABSENT')
  return new Deliveries({ database: app.rooms.database, time })
}

const shown = ({ createdAt, dueAt, endedAt, ...rest }: Delivery) => ({
  ...rest,
  ...{ createdAt: moment(createdAt), dueAt: moment(dueAt), endedAt: moment(endedAt) },
})

function text(found: readonly ReturnType<typeof shown>[], isWide: boolean): string {
  if (found.length === 0) return 'Nothing found.\n'
  const head = ['id', 'route', 'status', 'notices', 'attempt', 'created', 'message', 'error']
  const wider = ['due', 'ended', 'group', 'actor', 'reason']
  const rows = found.map((one) => [
    ...[one.id, one.route, one.status, one.notices, one.attempt, one.createdAt],
    ...[one.message, one.error],
    ...(isWide ? [one.dueAt, one.endedAt, one.group, one.actor, one.reason] : []),
  ])
  return table(isWide ? [...head, ...wider] : head, rows)
}
