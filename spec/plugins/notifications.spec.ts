// Notifications from row to receiver: what is told to whom, in which form, how often and in which order.
import { createHmac } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { SystemTime } from '../../lib/time.ts'
import {
  email,
  logChannel,
  type NotificationsOptions,
  notifications,
  pagerduty,
  slack,
  webhook,
} from '../../plugins/notifications.ts'
import { type House, openHouse } from '../support/house.ts'
import { alarmOf, mailbox, noticeOf, post, receiver, tellerOf } from '../support/notices.ts'
import { settings } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G'

for (const setting of settings().filter((one) => one !== 'full')) {
  const test = suite(`notifications in the setting ${setting}`)
  let house: House
  let time: FakeTime
  const open: { close(): Promise<void> }[] = []
  const opened = <T extends { close(): Promise<void> }>(one: T): T => {
    open.push(one)
    return one
  }
  const teller = (routes: NotificationsOptions['routes'], more = {}) =>
    opened(tellerOf(house, { routes, ...more }, { time }))

  test.before(async () => {
    const plugins = [notifications({ routes: [{ name: 'log', to: logChannel() }] })]
    house = await openHouse({ resources: [], plugins, setting })
  })
  test.before.each(() => {
    // The receivers of signed messages look at the real clock.
    time = new FakeTime(new SystemTime().now())
  })
  test.after.each(async () => {
    for (const one of open.splice(0).reverse()) await one.close()
    await house.sql('DELETE FROM deliveries')
    await house.sql('TRUNCATE notices, maintenances')
  })
  test.after(() => house?.close())

  test('a webhook is signed so that the standard’s own library takes it, and so does plain HMAC', async () => {
    const there = opened(await receiver())
    const to = webhook({ url: there.url, secret: SECRET, headers: { 'x-team': 'ops' } })
    const teller1 = teller([{ name: 'ops', to, groupWait: 0 }])
    const notice = noticeOf({ labels: { team: 'db' } })
    await post(house, notice)
    await teller1.round()
    const [{ headers, text, json }] = there.received as [any]
    new Webhook(SECRET).verify(text, headers)
    const key = Buffer.from(SECRET.slice('whsec_'.length), 'base64')
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${text}`
    const mark = createHmac('sha256', key).update(signed).digest('base64')
    assert.is(headers['webhook-signature'], `v1,${mark}`)
    assert.is(headers['x-team'], 'ops')
    assert.is(headers['content-type'], 'application/json')
    const { id, timestamp, data } = { id: json.data.id, ...json }
    assert.is(id, headers['webhook-id'])
    assert.is(timestamp, new Date(time.now()).toISOString())
    assert.is(json.type, 'notices')
    const { title, route, severity, count, isOver } = data
    assert.equal(
      { route, severity, count, isOver },
      { route: 'ops', severity: 'error', count: 1, isOver: false },
    )
    assert.is(title, '[error] the disk is full')
    assert.is(data.notices[0].id, notice.id)
    assert.equal(data.notices[0].labels, { team: 'db' })
  })

  test('while a signing secret is replaced, both sign', async () => {
    const there = opened(await receiver())
    const other = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQI'
    const to = webhook({ url: there.url, secret: [other, SECRET] })
    const one = teller([{ name: 'ops', to, groupWait: 0 }])
    await post(house, noticeOf())
    await one.round()
    const [{ text, headers }] = there.received as [any]
    for (const secret of [other, SECRET]) new Webhook(secret).verify(text, headers)
  })

  test('Slack is told a title, a colour and a text, in which nothing stored mentions anybody', async () => {
    const there = opened(await receiver())
    const one = teller([{ name: 'chat', to: slack({ url: there.url }), groupWait: 0 }])
    await post(
      house,
      noticeOf({ message: '<!channel> a & b\n[critical] forged', severity: 'warning' }),
    )
    await one.round()
    assert.equal(there.received[0]?.json, {
      text: '[warning] &lt;!channel&gt; a &amp; b [critical] forged',
      attachments: [
        {
          color: '#daa038',
          fallback: '[warning] &lt;!channel&gt; a &amp; b [critical] forged',
          text: '[warning] order.late Server: &lt;!channel&gt; a &amp; b [critical] forged',
        },
      ],
    })
  })

  test('PagerDuty gets one incident for each alarm, triggered and resolved under the key of the alarm', async () => {
    const there = opened(
      await receiver((_request, reply) => void reply.code(202).send({ status: 'success' })),
    )
    const to = pagerduty({ routingKey: 'R0UT1NGK3Y', url: there.url })
    const one = teller([{ name: 'pager', to, groupWait: 0 }])
    const [first, second] = [alarmOf('Server/1/down'), alarmOf('Server/2/down')]
    await post(house, first.opened({ labels: { team: 'db' } }), second.opened(), noticeOf())
    await one.round()
    await post(house, first.closed())
    await time.advance(1)
    await one.round()
    const told = there.received.map(({ json }) => `${json.event_action} ${json.dedup_key}`)
    assert.equal(
      told
        .slice(0, 3)
        .filter((line) => line.includes('Server'))
        .sort(),
      ['trigger Server/1/down', 'trigger Server/2/down'],
    )
    assert.is(told[3], 'resolve Server/1/down')
    const { json } = there.received.find(({ json: { dedup_key: key } }) => key === 'Server/1/down')!
    assert.is(json.routing_key, 'R0UT1NGK3Y')
    const {
      summary,
      source,
      severity,
      component,
      class: name,
      custom_details: details,
    } = json.payload
    assert.equal(
      { summary, source, severity, component, name },
      {
        summary: '[critical] Server/1/down is down',
        source: 'escapement',
        severity: 'critical',
        component: 'Server',
        name: 'down',
      },
    )
    assert.equal([details.labels, details.playbook], [{ team: 'db' }, 'turn it on'])
    assert.equal(Object.keys(there.received[3]!.json).sort(), [
      'dedup_key',
      'event_action',
      'routing_key',
    ])
  })

  test('an e-mail arrives as plain text for all recipients; no stored text becomes a header', async () => {
    const there = opened(await mailbox())
    const from = 'Escapement <clock@example.com>'
    const to = email({
      host: '127.0.0.1',
      port: there.port,
      from,
      to: ['a@example.com', 'b@example.com'],
    })
    const one = teller([
      {
        name: 'mail',
        to,
        groupWait: 0,
        template: { title: '{{message}}', text: 'See {{message}} ü' },
      },
    ])
    await post(house, noticeOf({ message: 'disk\r\nBcc: evil@example.com\r\n\r\nbody' }))
    await one.round()
    const [{ mail, to: recipients, raw }] = there.received as [any]
    assert.equal(recipients, ['a@example.com', 'b@example.com'])
    assert.is(mail.subject, 'disk Bcc: evil@example.com body')
    assert.is(mail.bcc, undefined)
    assert.is(mail.from.address, 'clock@example.com')
    assert.is(mail.text.trim(), 'See disk Bcc: evil@example.com body ü')
    const [{ id }] = await house.sql('SELECT id FROM deliveries')
    assert.is(mail.messageId, `<${id}@example.com>`)
    assert.not.match(raw, /^Bcc:/im)
  })

  test('a login is not sent to a server that offers no TLS, unless that was asked for', async () => {
    const logins: string[] = []
    const there = opened(
      await mailbox({
        onAuth: ({ username, password }, _session, done) => {
          logins.push(`${username}:${password}`)
          done(null, { user: username })
        },
        allowInsecureAuth: true,
      }),
    )
    const address = {
      host: '127.0.0.1',
      port: there.port,
      from: 'a@example.com',
      to: 'b@example.com',
    }
    const options = { ...address, user: 'me', password: 'canary-password' }
    const one = teller([
      { name: 'careful', to: email(options), groupWait: 0 },
      { name: 'careless', to: email({ ...options, requireTls: false }), groupWait: 0 },
    ])
    await post(house, noticeOf())
    await one.round()
    assert.equal(logins, ['me:canary-password'])
    const rows = await house.sql('SELECT route, status, error FROM deliveries ORDER BY route')
    assert.equal(
      rows.map(({ route, status }) => `${route} ${status}`),
      ['careful sending', 'careless sent'],
    )
    assert.not.match(JSON.stringify(rows), 'canary')
  })

  test('a log channel is an event, one for each delivery', async () => {
    const one = teller([{ name: 'log', to: logChannel(), groupWait: 0 }])
    const told: any[] = []
    const undo = house.app.events.on('notice.logged', (payload) => void told.push(payload))
    await post(house, noticeOf(), noticeOf({ message: 'and hot\u001b[31m' }))
    await one.round()
    undo()
    assert.is(told.length, 1)
    const { route, severity, notices, message } = told[0]
    assert.equal({ route, severity, notices }, { route: 'log', severity: 'error', notices: 2 })
    assert.is(
      message,
      '[error] order.late Server: the disk is full\n[error] order.late Server: and hot [31m',
    )
  })

  test('notices that match go where they match: by severity, type, kind, name and labels', async () => {
    const there = opened(await receiver())
    const to = (path: string) => slack({ url: `${there.url}/${path}` })
    const all = { groupWait: 0, groupBy: [] }
    const one = teller([
      { ...all, name: 'grave', to: to('grave'), when: { atLeast: 'error' } },
      { ...all, name: 'alarms', to: to('alarms'), when: { type: 'alarm.*' } },
      {
        ...all,
        name: 'orders',
        to: to('orders'),
        when: { type: ['order.*', 'x'], severity: 'info' },
      },
      {
        ...all,
        name: 'db',
        to: to('db'),
        when: { labels: { team: ['db', 'data'] }, kind: 'Server' },
      },
      { ...all, name: 'down', to: to('down'), when: { name: 'down' } },
    ])
    const alarm = alarmOf('k')
    await post(
      house,
      alarm.opened(),
      noticeOf({ severity: 'info' }),
      noticeOf({ severity: 'warning', labels: { team: 'db' } }),
    )
    await one.round()
    assert.equal(there.received.map(({ path }) => path.slice('/hook/'.length)).sort(), [
      'alarms',
      'db',
      'down',
      'grave',
      'orders',
    ])
    const counts = await house.sql('SELECT route, count FROM deliveries ORDER BY route')
    assert.equal(
      counts.map(({ count }) => count),
      [1, 1, 1, 1, 1],
    )
  })

  test('notices of one group that come within its window go together; others go apart', async () => {
    const there = opened(await receiver())
    const one = teller([
      {
        name: 'ops',
        to: slack({ url: there.url }),
        groupBy: ['label.team'],
        groupWait: '10s',
        groupInterval: '1m',
        template: { title: '{{count}}' },
      },
    ])
    const of = (team: string) => noticeOf({ labels: { team } })
    await post(house, of('db'), of('web'))
    assert.is(await one.round(), 10_000)
    await time.advance(5_000)
    await post(house, of('db'))
    assert.is(await one.round(), 5_000)
    assert.is(there.received.length, 0)
    await time.advance(5_000)
    await one.round()
    assert.equal(there.received.map(({ json }) => json.text).sort(), ['1', '2'])
    await post(house, of('db'))
    assert.is(await one.round(), 60_000)
    await time.advance(60_000)
    assert.is(await one.round(), null)
    assert.is(there.received.length, 3)
  })

  test('ten thousand notices at once are a few deliveries, each a count and its first twenty', {
    deadlineMs: 60_000,
  }, async () => {
    const there = opened(await receiver())
    const one = teller([
      { name: 'ops', to: webhook({ url: there.url, secret: SECRET }), groupWait: '10s' },
    ])
    const many = Array.from({ length: 10_000 }, () => noticeOf())
    for (let at = 0; at < many.length; at += 2_000) await post(house, ...many.slice(at, at + 2_000))
    for (let pause = await one.round(); pause !== null; pause = await one.round())
      await time.advance(pause)
    assert.is(there.received.length, 10)
    for (const { json, text } of there.received) {
      assert.equal([json.data.count, json.data.notices.length], [1_000, 20])
      assert.ok(text.length < 20_000)
    }
    const [{ waiting }] = await house.sql(
      `SELECT count(*) AS waiting FROM notices WHERE status = 'waiting'`,
    )
    assert.is(waiting, 0)
  })

  test('what is held leaves its delivery, and is told when the reason is gone', async () => {
    const there = opened(await receiver())
    const one = teller([{ name: 'ops', to: slack({ url: there.url }), groupWait: '10s' }])
    await post(house, noticeOf({ kind: 'Server' }))
    await one.round()
    await house.sql(
      `INSERT INTO maintenances (id, kind, from_at, until_at, actor, reason)
       VALUES (gen_random_uuid(), 'Server', to_timestamp($1 / 1000.0), to_timestamp($2 / 1000.0), 'me', 'new disks')`,
      [time.now(), time.now() + 60_000],
    )
    await time.advance(10_000)
    await one.round()
    assert.is(there.received.length, 0)
    assert.equal((await house.sql('SELECT status, held_by FROM notices'))[0], {
      status: 'held',
      held_by: 'maintenance',
    })
    assert.is((await house.sql('SELECT status FROM deliveries'))[0].status, 'empty')
    await time.advance(60_000)
    for (let pause = await one.round(); pause !== null; pause = await one.round())
      await time.advance(pause)
    assert.is(there.received.length, 1)
  })

  test('a close is told to whoever was told of the open, whatever routes and maintenance say, and to nobody else', async () => {
    const there = opened(await receiver())
    const to = (path: string) => slack({ url: `${there.url}/${path}` })
    const all = { groupWait: 0, groupInterval: 0 }
    const one = teller([
      { ...all, name: 'grave', to: to('grave'), when: { severity: 'critical' } },
      { ...all, name: 'closes', to: to('closes'), when: { type: 'alarm.closed' } },
    ])
    const alarm = alarmOf('k')
    await post(house, alarm.opened())
    await one.round()
    await house.sql(
      `INSERT INTO maintenances (id, from_at, until_at, actor, reason)
       VALUES (gen_random_uuid(), to_timestamp($1 / 1000.0), to_timestamp($2 / 1000.0), 'me', 'all of it')`,
      [time.now() - 1, time.now() + 60_000],
    )
    await post(house, alarm.closed({ severity: 'info' }), alarmOf('never opened').closed())
    await one.round()
    assert.equal(
      there.received.map(({ path, json }) => `${path} ${json.text}`),
      ['/hook/grave [critical] k is down', '/hook/grave [over] k is down'],
    )
  })

  test('of an open that is held and closes meanwhile nobody hears, neither of the one nor the other', async () => {
    const there = opened(await receiver())
    const one = teller([{ name: 'ops', to: slack({ url: there.url }), groupWait: '10s' }])
    const alarm = alarmOf('k')
    await post(house, alarm.opened(), alarm.closed())
    await house.sql(
      `INSERT INTO maintenances (id, from_at, until_at, actor, reason)
       VALUES (gen_random_uuid(), to_timestamp($1 / 1000.0), to_timestamp($2 / 1000.0), 'me', 'all of it')`,
      [time.now() - 1, time.now() + 60_000],
    )
    await one.round()
    await time.advance(10_000)
    await one.round()
    assert.equal(await house.sql('SELECT status, count FROM deliveries'), [
      { status: 'empty', count: 0 },
    ])
    assert.is(there.received.length, 0)
  })

  test('a close does not overtake its open: while that is tried again, it waits', async () => {
    const there = opened(await receiver((_request, reply) => void reply.code(500).send()))
    const retry = { backoff: '10s' }
    const one = teller([
      { name: 'ops', to: slack({ url: there.url }), groupWait: 0, groupInterval: 0, retry },
    ])
    const alarm = alarmOf('k')
    await post(house, alarm.opened())
    await one.round()
    await post(house, alarm.closed())
    await one.round()
    assert.is(there.received.length, 1)
    there.answers(() => ({}))
    for (let pause = await one.round(); pause !== null; pause = await one.round())
      await time.advance(pause)
    assert.equal(
      there.received.map(({ json }) => json.text),
      ['[critical] k is down', '[critical] k is down', '[over] k is down'],
    )
  })

  test.run()
}
