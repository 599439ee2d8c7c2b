// Telling: events as lines a person can follow while a task runs.
// Promise: one line for each event that matters; colour only where somebody sees it.
import pc from 'picocolors'
import type { EventName, Events, EventTable } from '../lib/events.ts'
import type { Time } from '../lib/time.ts'
import { sentence } from './print.ts'
import type { Street } from './street.ts'

type Colors = ReturnType<typeof pc.createColors>
type Tellers = { [N in EventName]?: (payload: EventTable[N], colors: Colors) => string }

const who = ({ kind, resourceId, task }: { kind: string; resourceId: string; task: string }) =>
  `${kind}/${resourceId} ${task}`

const why = (error: Error) => sentence(error.message)

const TELLERS: Tellers = {
  'task.stepped': (told, { bold, dim }) =>
    `${who(told)}  ${told.from} ${dim('->')} ${bold(told.to)}  ${dim(told.event)}`,
  'task.finished': (told, { green }) => `${who(told)}  ${green(told.status)} in ${told.step} steps`,
  'task.panicked': (told, { red }) => `${who(told)}  ${red('panicked')}: ${why(told.error)}`,
  'task.unknown': (told, { red }) =>
    `${told.resourceId} ${told.task}  ${red('no such task')} in this app`,
  'task.emitted': (told, { dim }) => `${who(told)}  ${dim('emits')} ${told.type}`,
  'event.ignored': (told, { yellow }) => `${who(told)}  ${yellow('ignored')} ${told.type}`,
  'effect.failed': (told, { yellow, red }) => {
    const how = told.isLast ? red('gave up') : yellow(`attempt ${told.attempt} failed`)
    return `${who(told)}  ${told.effect} ${how}: ${why(told.error)}`
  },
  'alarm.changed': ({ key, name, severity, from, to }, { bold, red, green }) => {
    const color = to === 'closed' ? green : to === 'open' || to === 'reopened' ? red : bold
    return `${sentence(key)}  alarm ${bold(name)} (${severity}) ${from} -> ${color(to)}`
  },
  'rule.failed': ({ kind, resourceId, rule, error }, { red }) =>
    `${kind}/${resourceId}  ${red(`rule ${rule} failed`)}: ${why(error)}`,
  'hold.changed': ({ scope, by, event }, { yellow }) =>
    `${sentence(scope)}  ${yellow(`${by} ${event}`)}`,
  'notice.delivered': ({ route, notices }, { dim }) => dim(`${route} was told of ${notices}`),
  'notice.failed': ({ route, isLast, error }, { yellow, red }) =>
    `${route}  ${isLast ? red('gave up') : yellow('was not told')}: ${why(error)}`,
  'plugin.failed': ({ plugin, error }, { red }) =>
    `${red(`plugin ${plugin} failed`)}: ${why(error)}`,
  'ticket.refused': ({ reason }, { yellow }) => `${yellow('message refused')}: ${sentence(reason)}`,
  'tick.failed': ({ resourceId, error }, { red }) =>
    `${resourceId}  ${red('tick failed')}: ${why(error)}`,
  'lease.lost': ({ resourceId }, { yellow }) => `${resourceId}  ${yellow('lease lost')}`,
  'queue.failed': ({ error }, { red }) => `${red('queue')}: ${why(error)}`,
  'clock.failed': ({ error }, { red }) => `${red('clock')}: ${why(error)}`,
  'worker.draining': ({ inHand }, { dim }) => dim(`draining, ${inHand} in hand`),
}

/** Tells every event that matters on standard output; answers the undo. */
export function tellEvents(events: Events, { out, env }: Street, time: Time): () => void {
  const colors = pc.createColors(hasColors(out.isTTY, env))
  return events.on('*', (payload, name) => {
    const teller = TELLERS[name] as ((payload: object, colors: Colors) => string) | undefined
    if (teller) out.write(`${colors.dim(hour(time.now()))}  ${teller(payload, colors)}\n`)
  })
}

/** NO_COLOR is asked first: see no-color.org. */
const hasColors = (isTTY: boolean, { NO_COLOR }: Street['env']) => isTTY && !NO_COLOR

/** The hour on the wall of whoever watches. */
function hour(ms: number): string {
  const at = new Date(ms)
  const parts = [at.getHours(), at.getMinutes(), at.getSeconds()]
  return parts.map((part) => String(part).padStart(2, '0')).join(':')
}
