// What a user writes to tell somebody of something, checked when the app loads.
// Promise: what is wrong is one sentence that names the route and the option; no value of an option is in it.
import * as z from 'zod'
import { type Duration, toMs, toRangeMs } from '../../lib/duration.ts'
import { fault } from '../../lib/errors.ts'
import { SEVERITIES } from '../../lib/notice.ts'
import { networkOf } from './guard.ts'
import type { GroupName, Route, When } from './route.ts'
import { Target } from './target.ts'
import { problemOf, Template } from './template.ts'

export interface RouteOptions {
  /** Its name in rows, events and commands. A route that is given another name is another route. */
  readonly name: string
  /** `webhook`, `slack`, `email`, `pagerduty` or `logChannel`. */
  readonly to: Target
  /** Which notices; all unless told. */
  readonly when?: When
  /** Which of them go together. Default ['kind', 'name']. */
  readonly groupBy?: readonly GroupName[]
  /** How long the first of a group waits for others. Default '10s'. */
  readonly groupWait?: Duration
  /** The least time from one delivery of a group to the next. Default '1m'. */
  readonly groupInterval?: Duration
  /** The most notices of one delivery. Default 1000. */
  readonly most?: number
  /** How many of them a message shows. Default 20. */
  readonly show?: number
  /** Default 15 attempts, '2s..15m'. */
  readonly retry?: { readonly attempts?: number; readonly backoff?: Duration }
  /** Deliveries under way at once. Default 4. */
  readonly concurrency?: number
  /** How long one attempt may take. Default '10s'. */
  readonly timeout?: Duration
  readonly template?: { readonly title?: string; readonly text?: string }
}

export interface NotificationsOptions {
  readonly routes: readonly RouteOptions[]
  /** Addresses and networks that may be called although they are private, such as '10.1.2.3' or '10.0.0.0/8'. */
  readonly allowPrivate?: readonly string[]
  /** How long what was told, given up or dropped is kept. Default '30d'. */
  readonly keep?: Duration
}

/** Options that were checked. */
export interface Settings {
  readonly routes: readonly Route[]
  readonly allowPrivate: readonly string[]
  readonly keepMs: number
}

const DEFAULT = {
  title:
    '[{{#isOver}}over{{/isOver}}{{^isOver}}{{severity}}{{/isOver}}] {{message}}{{#more}} and {{count}} in all{{/more}}',
  text: `{{#notices}}
[{{severity}}] {{type}}{{#kind}} {{kind}}{{#resourceId}}/{{resourceId}}{{/resourceId}}{{/kind}}: {{message}}
{{#alarm.playbook}}
  what to do: {{alarm.playbook}}
{{/alarm.playbook}}
{{/notices}}
{{#more}}
and {{more}} more
{{/more}}`,
}

/** @throws NOTIFICATIONS_INVALID */
export function settingsOf(options: NotificationsOptions): Settings {
  const found = schema.safeParse(options)
  if (!found.success) throw invalid(found.error, options)
  const { routes, allowPrivate, keep } = found.data
  const twice = routes.find(({ name }, at) => routes.findIndex((one) => one.name === name) < at)
  if (twice) throw unfit(`route "${twice.name}"`, 'another route has this name')
  return { routes: routes.map(routeOf), allowPrivate, keepMs: keep }
}

const unfit = (where: string, reason: string) => fault('NOTIFICATIONS_INVALID', { where, reason })

const duration = (standard: string, leastMs = 0) =>
  z
    .union([z.number(), z.string()], { error: "is no duration such as '10s'" })
    .default(standard)
    .transform((given, context) => {
      try {
        const ms = toMs(given, 'it')
        if (ms >= leastMs) return ms
        context.addIssue(`is shorter than ${leastMs} ms`)
      } catch {
        context.addIssue("is no duration such as '10s'")
      }
      return z.NEVER
    })

const backoff = z
  .union([z.number(), z.string()], { error: "is no range such as '2s..15m'" })
  .default('2s..15m')
  .transform((given, context) => {
    try {
      const [firstMs, mostMs] = toRangeMs(given, 'it')
      if (firstMs <= mostMs && firstMs > 0) return { firstMs, mostMs }
    } catch {}
    context.addIssue("is no range such as '2s..15m'")
    return z.NEVER
  })

const severity = z.enum(SEVERITIES, { error: `is none of ${SEVERITIES.join(', ')}` })
const words = (error: string) => {
  const one = z.string({ error }).min(1, error).max(255, error)
  return z.union([one, z.array(one).min(1, error)], { error })
}
const count = (most: number) => {
  const error = `is no whole number from 1 to ${most}`
  return z.int({ error }).min(1, error).max(most, error)
}
const template = (standard: string) =>
  z
    .string({ error: 'is no text' })
    .default(standard)
    .transform((source, context) => {
      const problem = problemOf(source)
      if (problem === null) return new Template(source)
      context.addIssue(problem)
      return z.NEVER
    })

const GROUPS = /^(kind|name|severity|type|task|resourceId|label\.(?!__proto__$).{1,100})$/

const when = z
  .strictObject({
    severity: z.union([severity, z.array(severity).min(1)], {
      error: `is none of ${SEVERITIES.join(', ')}`,
    }),
    atLeast: severity,
    type: words('is no type such as alarm.*'),
    kind: words('is no name of a kind'),
    name: words('is no name of an alarm'),
    // A key that is dropped in silence would let everything through.
    labels: z
      .custom((given) => !Object.hasOwn(Object(given), '__proto__'), 'has a forbidden name')
      .pipe(z.record(z.string(), words('is no text'))),
  })
  .partial()

const target = z.instanceof(Target, {
  error: 'is none of webhook, slack, email, pagerduty and logChannel',
})

const route = z.strictObject({
  name: z
    .string({ error: 'is missing' })
    .regex(
      /^[A-Za-z][\w-]{0,59}$/,
      'is no name: letters, digits, _ and -, at most 60, a letter first',
    ),
  to: target.transform((given, context) => {
    const found = given.check()
    if (found.success) return found.data
    for (const { path, message } of found.error.issues) {
      context.issues.push({ code: 'custom', path: [...path], message, input: null })
    }
    return z.NEVER
  }),
  when: when.default({}),
  groupBy: z
    .array(
      z
        .string()
        .regex(GROUPS, 'is none of kind, name, severity, type, task, resourceId, label.NAME'),
    )
    .max(10)
    .optional(),
  groupWait: duration('10s'),
  groupInterval: duration('1m'),
  most: count(1_000).default(1_000),
  show: count(1_000).default(20),
  retry: z.strictObject({ attempts: count(1_000).default(15), backoff }).prefault({}),
  concurrency: count(50).default(4),
  timeout: duration('10s', 100).refine((ms) => ms <= 60_000, 'is longer than a minute'),
  template: z
    .strictObject({ title: template(DEFAULT.title), text: template(DEFAULT.text) })
    .prefault({}),
})

const schema = z.strictObject({
  routes: z.array(route, { error: 'is no list of routes' }).min(1, 'is empty').max(100),
  allowPrivate: z
    .array(
      z
        .string()
        .refine(
          (text) => networkOf(text) !== null,
          "is no address such as '10.1.2.3' or '10.0.0.0/8'",
        ),
    )
    .default([]),
  keep: duration('30d', 60_000),
})

function routeOf(given: z.output<typeof route>): Route {
  const { name, to, groupBy, groupWait, groupInterval, retry, timeout, template: words } = given
  if (to.kind.isSingle && groupBy) {
    const reason = `groupBy: ${to.kind.name} is told of each alarm alone; leave it away`
    throw unfit(`route "${name}"`, reason)
  }
  const group = groupBy ?? ['kind', 'name']
  return {
    ...{ name, to, when: given.when as When, groupBy: group as GroupName[] },
    ...{ waitMs: groupWait, intervalMs: to.kind.isSingle ? 0 : groupInterval },
    ...{ most: given.most, show: given.show, concurrency: given.concurrency, timeoutMs: timeout },
    ...{ attempts: retry.attempts, backoff: retry.backoff, title: words.title, text: words.text },
  }
}

/** The first issue as a sentence; a route is called by its name where it has one. */
function invalid(error: z.ZodError, options: NotificationsOptions): Error {
  const [{ path, message }] = error.issues as [z.core.$ZodIssue]
  const [list, at, ...rest] = path
  if (list !== 'routes' || typeof at !== 'number')
    return unfit(path.join('.') || 'the options', message)
  const { name } = (options.routes[at] ?? {}) as { name?: unknown }
  const called = typeof name === 'string' && name.length <= 60 ? `"${name}"` : `number ${at + 1}`
  const option = rest.length > 0 ? `${rest.join('.')}: ` : ''
  return unfit(`route ${called}`, `${option}${message}`)
}
