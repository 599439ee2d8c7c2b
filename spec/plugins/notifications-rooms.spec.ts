// The rooms of notifications one by one: addresses that may not be called, templates, patterns of types, secrets.
import * as fc from 'fast-check'
import { EscapementError } from '../../lib/errors.ts'
import type { Notice } from '../../lib/notice.ts'
import { masking } from '../../plugins/notifications/clean.ts'
import { Guard, type Resolve } from '../../plugins/notifications/guard.ts'
import { settingsOf } from '../../plugins/notifications/options.ts'
import { groupOf, takes, type When } from '../../plugins/notifications/route.ts'
import { slack } from '../../plugins/notifications/slack.ts'
import { problemOf, Template } from '../../plugins/notifications/template.ts'
import { noticeOf } from '../support/notices.ts'
import { assert, suite } from '../support/suite.ts'

const guarding = suite('the guard')

const INSIDE = [
  ...[
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
  ],
  ...[
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
  ],
  ...[
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '64:ff9b::7f00:1',
  ],
  ...[
    '64:ff9b:1::1',
    '2002:7f00:1::',
    '2001::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
  ],
  ...['ff02::1', '100::1', '2001:db8::1', '4000::1'],
]
const OUTSIDE = [
  '1.1.1.1',
  '8.8.8.8',
  '172.32.0.1',
  '192.169.0.1',
  '2606:4700::1111',
  '::ffff:8.8.8.8',
]

guarding('lets public addresses pass and nothing else', () => {
  const guard = new Guard()
  for (const address of INSIDE) assert.type(guard.rangeOf(address), 'string', `${address} passed`)
  for (const address of OUTSIDE) assert.is(guard.rangeOf(address), null, `${address} did not pass`)
})

guarding('lets pass what was allowed, in both spellings, and nothing beside it', () => {
  const guard = new Guard(['10.1.0.0/16', '127.0.0.1', 'fd00::/8'])
  for (const address of ['10.1.2.3', '127.0.0.1', '::ffff:127.0.0.1', 'fd00::1']) {
    assert.is(guard.rangeOf(address), null, address)
  }
  for (const address of ['10.2.0.1', '127.0.0.2', 'fc00::1', '::1']) {
    assert.is.not(guard.rangeOf(address), null, address)
  }
})

const found =
  (...addresses: string[]): Resolve =>
  (_host, done) =>
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )

const looked = (guard: Guard, options: object): Promise<unknown> =>
  new Promise((resolve) =>
    guard.lookup('hooks.example.com', options as never, (error: unknown, address: unknown) =>
      resolve(
        error instanceof EscapementError ? `${error.code} ${error.message}` : (error ?? address),
      ),
    ),
  )

guarding(
  'refuses a name if any of its addresses is private, and hands on only what it has checked',
  async () => {
    const mixed = new Guard([], found('8.8.8.8', '10.0.0.5'))
    const sentence =
      'TARGET_BLOCKED hooks.example.com was not called: its address 10.0.0.5 is a private address (private).'
    assert.is(await looked(mixed, { all: true }), sentence)
    assert.is(await looked(mixed, {}), sentence)
    const fine = new Guard([], found('2606:4700::1111', '8.8.8.8'))
    assert.equal(await looked(fine, { all: true }), [
      { address: '2606:4700::1111', family: 6 },
      { address: '8.8.8.8', family: 4 },
    ])
    assert.is(await looked(fine, { family: 4 }), '8.8.8.8')
  },
)

guarding(
  'asks anew for each connection, so a name that changes its mind is refused then',
  async () => {
    const answers = ['8.8.8.8', '127.0.0.1']
    const guard = new Guard([], (host, done) => found(answers.shift()!)(host, done))
    assert.is(await looked(guard, {}), '8.8.8.8')
    assert.match(String(await looked(guard, {})), /TARGET_BLOCKED/)
  },
)

guarding.run()

const templates = suite('templates')

templates(
  'show what is stored on one line, without escapes of HTML and without running anything',
  () => {
    const view = {
      message: 'a\r\n<b> & "c"\u2028\u202e{{count}}',
      count: 3,
      labels: Object.create(null),
    }
    assert.is(new Template('{{message}}\n{{count}}').render(view), 'a <b> & "c" {{count}}\n3')
  },
)

templates('find nothing in prototypes, whatever a label is called', () => {
  for (const name of [
    'labels.constructor',
    'payload.__proto__.x',
    'alarm.labels.prototype',
    'toString',
    'payload',
  ]) {
    assert.is(problemOf(`{{${name}}}`), `uses "${name}", which is no name of a message`)
  }
  assert.is(
    problemOf('{{labels.team}} {{payload.order.id}} {{#alarm}}{{key}}{{/alarm}} {{! a word }}'),
    null,
  )
})

templates('are refused or render, whatever they are', () => {
  const view = { count: 1, notices: [{ message: 'x' }], alarm: null }
  fc.assert(
    fc.property(
      fc.array(
        fc.constantFrom(
          '{{',
          '}}',
          '#',
          '/',
          '^',
          'count',
          'notices',
          ' ',
          '{',
          '&',
          '>',
          '=',
          'x',
        ),
      ),
      (parts) => {
        const source = parts.join('')
        if (problemOf(source) === null) assert.type(new Template(source).render(view), 'string')
      },
    ),
  )
})

templates.run()

const routes = suite('routes')
const routeOf = (when: When, groupBy?: any) =>
  settingsOf({
    routes: [
      { name: 'r', to: slack({ url: 'https://example.com' }), when, ...(groupBy && { groupBy }) },
    ],
  }).routes[0]!
const of = (more: object) => ({ ...noticeOf(more), at: 0 }) as Notice

routes('match types as a pattern with stars would', () => {
  const letters = fc.array(fc.constantFrom('a', 'b', '.', '*'), { minLength: 1, maxLength: 8 })
  const plain = fc.array(fc.constantFrom('a', 'b', '.'), { maxLength: 10 })
  fc.assert(
    fc.property(letters, plain, (pattern, text) => {
      const oracle = new RegExp(
        `^${pattern.map((one) => (one === '*' ? '.*' : one === '.' ? '\\.' : one)).join('')}$`,
      )
      const route = routeOf({ type: pattern.join('') })
      assert.is(takes(route, of({ type: text.join('') })), oracle.test(text.join('')))
    }),
    { numRuns: 1_000 },
  )
})

routes('group by what they were told, and keep what is absent apart from what is called so', () => {
  const route = routeOf({}, ['label.team', 'kind'])
  const groups = [{ team: 'null' }, {}, { team: 'db' }].map((labels) =>
    groupOf(route, of({ labels })),
  )
  assert.is(new Set(groups).size, 3)
  assert.is(groupOf(route, of({ labels: { team: 'db' } })), groups[2])
})

routes.run()

const masks = suite('masks')

masks('take secrets, logins and control characters out of a text', () => {
  const mask = masking(['canary-long', 'canary', 'abc'])
  assert.is(
    mask('canary-long, canary\nand https://me:pass@host abc'),
    '[secret], [secret] and https://[secret]@host abc',
  )
})

masks.run()
