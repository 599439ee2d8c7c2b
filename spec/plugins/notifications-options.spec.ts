// Options of notifications: what is not valid is refused when the app loads, in one sentence without values.
import { inspect } from 'node:util'
import { EscapementError } from '../../lib/errors.ts'
import {
  email,
  type NotificationsOptions,
  notifications,
  pagerduty,
  slack,
  webhook,
} from '../../plugins/notifications.ts'
import { assert, suite } from '../support/suite.ts'

const rules = suite('notification options')
const to = slack({ url: 'https://example.com/canary' })
const refusal = (options: unknown): string => {
  try {
    notifications(options as NotificationsOptions)
    return 'it was taken'
  } catch (thrown) {
    return thrown instanceof EscapementError ? thrown.message : `not ours: ${thrown}`
  }
}
const routes = (...some: object[]) => ({ routes: some.map((one) => ({ name: 'ops', to, ...one })) })
const REFUSED: [says: string, options: unknown][] = [
  ['route "ops": another route has this name', routes({}, {})],
  [
    'route "ops": when.atLeast: is none of critical, error, warning, info',
    routes({ when: { atLeast: 'fatal' } }),
  ],
  [
    'route "ops": when.labels: has a forbidden name',
    routes({ when: { labels: JSON.parse('{"__proto__":"x"}') } }),
  ],
  [
    'route "ops": when.severity: is none of critical, error, warning, info',
    routes({ when: { severity: ['bad'] } }),
  ],
  [
    'route "ops": template.text: uses "secret", which is no name of a message',
    routes({ template: { text: '{{secret}}' } }),
  ],
  [
    'route "ops": template.text: uses "constructor.name", which is no name of a message',
    routes({ template: { text: '{{constructor.name}}' } }),
  ],
  [
    'route "ops": template.title: shows "message" with three braces or an ampersand; two braces are enough',
    routes({ template: { title: '{{{message}}}' } }),
  ],
  [
    'route "ops": template.text: asks for the partial "x", and there are none',
    routes({ template: { text: '{{> x}}' } }),
  ],
  [
    'route "ops": template.text: cannot be read: Unclosed section "notices" at 12',
    routes({ template: { text: '{{#notices}}' } }),
  ],
  [
    'route "ops": to.url: is not an http or https address',
    routes({ to: slack({ url: 'file:///canary' }) }),
  ],
  [
    'route "ops": to.url: is not an http or https address',
    routes({ to: slack({ url: 'https://canary:canary@example.com' }) }),
  ],
  [
    'route "ops": to.secret.0: is not a signing secret: `whsec_` and 24 to 64 bytes in base64',
    routes({ to: webhook({ url: 'https://example.com', secret: 'canary' }) }),
  ],
  [
    'route "ops": to.from: is not an e-mail address such as ops@example.com or Ops <ops@example.com>',
    routes({
      to: email({ host: 'h', from: 'a@example.com\r\nBcc: x@example.com', to: 'b@example.com' }),
    }),
  ],
  [
    'route "ops": to.password: `user` and `password` go together',
    routes({
      to: email({ host: 'h', from: 'a@example.com', to: 'b@example.com', user: 'canary' }),
    }),
  ],
  [
    'route "ops": to: is none of webhook, slack, email, pagerduty and logChannel',
    routes({ to: 'https://canary' }),
  ],
  ['route "ops": groupWait: is no duration such as \'10s\'', routes({ groupWait: 'soon' })],
  [
    'route "ops": retry.backoff: is no range such as \'2s..15m\'',
    routes({ retry: { backoff: '1m..2s' } }),
  ],
  [
    'route "ops": groupBy.0: is none of kind, name, severity, type, task, resourceId, label.NAME',
    routes({ groupBy: ['colour'] }),
  ],
  [
    'route "ops": groupBy: pagerduty is told of each alarm alone; leave it away',
    routes({ groupBy: ['kind'], to: pagerduty({ routingKey: 'canary' }) }),
  ],
  ['route "ops": Unrecognized key: "wen"', routes({ wen: {} })],
  [
    "allowPrivate.0: is no address such as '10.1.2.3' or '10.0.0.0/8'",
    { ...routes({}), allowPrivate: ['canary'] },
  ],
  ['routes: is empty', { routes: [] }],
]

rules(
  'that are not valid are refused with one sentence that names route and option, and quotes no value',
  () => {
    for (const [says, options] of REFUSED) {
      assert.is(refusal(options), `The notifications of this app are not valid: ${says}.`)
      assert.not.match(refusal(options), 'canary')
    }
  },
)

rules('that are valid show no secret to whoever prints the plugin', () => {
  const plugin = notifications(
    routes({ to: pagerduty({ routingKey: 'canary' }) }) as NotificationsOptions,
  )
  assert.not.match(
    inspect(plugin, { depth: 9, showHidden: true }) + JSON.stringify(plugin),
    'canary',
  )
})

rules.run()
