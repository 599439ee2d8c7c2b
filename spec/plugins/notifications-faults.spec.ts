// Notifications when things go wrong: receivers that fail, hang, lie or are not there, and tellers that die.
import { Readable } from 'node:stream'
import { Database } from '../../lib/database.ts'
import type { Notice } from '../../lib/notice.ts'
import { SystemTime } from '../../lib/time.ts'
import { Notices } from '../../models/notices.ts'
import type { TellerParts } from '../../plugins/notifications/teller.ts'
import {
  Deliveries,
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
import { freePort, settings } from '../support/services.ts'
import { gate } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { signalOf, until } from '../support/wait.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G'
const ME = { actor: 'me', reason: 'it is up again' }

for (const setting of settings().filter((one) => one !== 'full')) {
  const test = suite(`notifications under faults in the setting ${setting}`)
  let house: House
  let time: FakeTime
  const open: { close(): Promise<void> }[] = []
  const opened = <T extends { close(): Promise<void> }>(one: T): T => {
    open.push(one)
    return one
  }
  const teller = (
    routes: NotificationsOptions['routes'],
    more = {},
    parts: Partial<TellerParts> = {},
  ) => opened(tellerOf(house, { routes, ...more }, { time, ...parts }))
  const rows = () =>
    house.sql('SELECT route, status, attempt, count, error, due_at FROM deliveries ORDER BY seq')
  const deliveries = () => new Deliveries({ database: house.app.rooms.database, time })
  const on = (url: string) => ({
    name: 'ops',
    to: webhook({ url, secret: SECRET }),
    groupWait: 0,
    groupInterval: 0,
  })

  test.before(async () => {
    const plugins = [notifications({ routes: [{ name: 'log', to: logChannel() }] })]
    house = await openHouse({ resources: [], plugins, setting })
  })
  test.before.each(() => {
    time = new FakeTime(new SystemTime().now())
  })
  test.after.each(async () => {
    for (const one of open.splice(0).reverse()) await one.close()
    await house.sql('DELETE FROM deliveries')
    await house.sql('TRUNCATE notices, maintenances')
  })
  test.after(() => house?.close())

  test('a teller that dies after the receiver has said yes is relieved, and the receiver sees the same id twice', async () => {
    const there = opened(await receiver())
    const { database } = house.app.rooms
    // Its process ends when it is about to write down that the other side has it: nothing of that gets through.
    const dead = new Promise<never>(() => {})
    const dying = new Proxy(database, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target)
        if (name === 'query')
          return (text: string, params: unknown[]) =>
            /SET status = 'sent'/.test(text) ? dead : target.query(text, params)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const [first, second] = [
      teller([on(there.url)], {}, { database: dying }),
      teller([on(there.url)]),
    ]
    await post(house, noticeOf())
    void first.round()
    await until(() => there.received.length === 1, { what: 'the first teller has told it' })
    const pause = await second.round()
    assert.is(there.received.length, 1)
    assert.ok(pause !== null && pause > 0 && pause <= 40_000, `${pause}`)
    await time.advance(pause)
    await second.round()
    assert.is(there.received.length, 2)
    const ids = there.received.map(({ headers }) => headers['webhook-id'])
    assert.is(ids[0], ids[1])
    assert.equal(
      (await rows()).map(({ status, attempt }) => [status, attempt]),
      [['sent', 2]],
    )
  })

  test('a teller that dies before it writes anything down loses nothing', async () => {
    const there = opened(await receiver())
    await post(house, noticeOf())
    const { database } = house.app.rooms
    const notices = new Notices({ database, time })
    const death = notices.hand(10, async () => {
      throw new Error('killed')
    })
    await death.catch(() => {})
    await teller([on(there.url)]).round()
    assert.is(there.received.length, 1)
  })

  test('a receiver in a crash loop loses nothing: cut, refused, failing, then well, under one id', async () => {
    const port = await freePort()
    const one = teller([
      { ...on(`http://127.0.0.1:${port}/hook`), retry: { attempts: 10, backoff: '1s..4s' } },
    ])
    await post(house, noticeOf())
    await one.round()
    assert.match((await rows())[0].error, /could not be asked \(ECONNREFUSED\)/)
    const there = opened(
      await receiver((_request, _reply, raw) => void raw.raw.socket.destroy(), port),
    )
    await time.advance(4_000)
    await one.round()
    there.answers((_request, reply) => void reply.code(503).send())
    await time.advance(4_000)
    await one.round()
    assert.match((await rows())[0].error, /answered 503/)
    there.answers(() => ({}))
    await time.advance(4_000)
    assert.is(await one.round(), null)
    assert.equal(
      (await rows()).map(({ status, attempt, error }) => [status, attempt, error]),
      [['sent', 4, null]],
    )
    assert.is(new Set(there.received.map(({ headers }) => headers['webhook-id'])).size, 1)
  })

  test('Retry-After is heard, as seconds and as a date, and waits grow without it', async () => {
    const there = opened(
      await receiver((_request, reply) => void reply.code(429).header('retry-after', '120').send()),
    )
    const one = teller([{ ...on(there.url), retry: { backoff: '1s..1h' } }])
    await post(house, noticeOf())
    assert.is(await one.round(), 120_000)
    await time.advance(120_000)
    const date = new Date(time.now() + 300_000).toUTCString()
    there.answers((_request, reply) => void reply.code(503).header('retry-after', date).send())
    const pause = (await one.round())!
    assert.ok(pause > 298_000 && pause <= 300_000, `${pause}`)
    there.answers((_request, reply) => void reply.code(500).send())
    await time.advance(pause)
    const third = (await one.round())!
    assert.ok(third >= 2_000 && third <= 4_000, `${third}`)
  })

  test('a delivery that fails too often is kept as a dead letter, says why, and is sent again by hand', async () => {
    const there = opened(await receiver((_request, reply) => void reply.code(500).send('canary')))
    const one = teller([
      { ...on(`${there.url}?token=canary`), retry: { attempts: 2, backoff: '1s' } },
    ])
    const failed: any[] = []
    const undo = house.app.events.on('notice.failed', (payload) => void failed.push(payload))
    await post(house, noticeOf())
    await one.round()
    await time.advance(1_000)
    assert.is(await one.round(), null)
    undo()
    assert.equal(
      failed.map(({ attempt, isLast, error }) => [attempt, isLast, error.code]),
      [
        [1, false, 'DELIVERY_FAILED'],
        [2, true, 'DELIVERY_FAILED'],
      ],
    )
    const [dead] = await deliveries().list({ status: 'dead' })
    assert.is(dead!.error, `Route ops could not deliver: 127.0.0.1:${there.port} answered 500.`)
    assert.not.match(JSON.stringify([dead, failed.map(({ error }) => error.message)]), 'canary')
    assert.is(await deliveries().retry({}, ME), 0)
    assert.is(await deliveries().retry({ route: 'other' }, ME), 0)
    assert.is(await deliveries().dead({ ids: [dead!.id] }), 1)
    assert.is(await deliveries().retry({ ids: [dead!.id] }, ME), 1)
    there.answers(() => ({}))
    await one.round()
    const [sent] = await deliveries().list()
    assert.equal(
      [sent!.status, sent!.attempt, sent!.actor, sent!.reason],
      ['sent', 3, 'me', 'it is up again'],
    )
    assert.is(new Set(there.received.map(({ headers }) => headers['webhook-id'])).size, 1)
  })

  test('what a receiver understood and does not want is not sent again', async () => {
    const there = opened(await receiver((_request, reply) => void reply.code(410).send()))
    const one = teller([on(there.url)])
    await post(house, noticeOf())
    assert.is(await one.round(), null)
    assert.equal(
      (await rows()).map(({ status, attempt }) => [status, attempt]),
      [['dead', 1]],
    )
  })

  test('an open that was given up is not told after its close', async () => {
    const there = opened(await receiver((_request, reply) => void reply.code(410).send()))
    const one = teller([on(there.url)])
    const alarm = alarmOf('k')
    await post(house, alarm.opened())
    await one.round()
    there.answers(() => ({}))
    await post(house, alarm.closed())
    await one.round()
    assert.is(there.received.at(-1)!.json.data.isOver, true)
    await deliveries().retry({ all: true }, ME)
    await one.round()
    assert.is(there.received.length, 2)
    assert.equal(
      (await rows()).map(({ status }) => status),
      ['empty', 'sent'],
    )
  })

  test('a receiver that hangs is given up after its time and keeps no other route waiting', async () => {
    const hanging = opened(await receiver(() => new Promise(() => {})))
    const well = opened(await receiver())
    const one = teller([
      { ...on(hanging.url), timeout: '5s' },
      { ...on(well.url), name: 'well' },
    ])
    await post(house, noticeOf())
    const round = one.round()
    await until(() => hanging.received.length === 1 && well.received.length === 1, {
      what: 'both were asked',
    })
    await time.advance(5_000)
    await round
    const [first, second] = await rows()
    assert.match(first.error, /did not answer in time/)
    assert.is(second.status, 'sent')
  })

  test('an SMTP server that hangs is given up after its time', async () => {
    const there = opened(await mailbox({ onConnect: () => {} }))
    const to = email({
      host: '127.0.0.1',
      port: there.port,
      from: 'a@example.com',
      to: 'b@example.com',
    })
    const one = teller([{ name: 'mail', to, groupWait: 0, timeout: '5s' }])
    await post(house, noticeOf())
    const round = one.round()
    await until(async () => (await rows())[0]?.status === 'sending', { what: 'it is being sent' })
    await until(() => time.sleeping > 0, { what: 'its time runs' })
    await time.advance(5_000)
    await round
    assert.match((await rows())[0].error, /did not answer in time/)
  })

  test('of an answer of ten megabytes, or without end, no more than a little is read', async () => {
    let sent = 0
    const endless = () =>
      new Readable({
        read() {
          sent += 65_536
          this.push(sent > 50_000_000 ? null : Buffer.alloc(65_536))
        },
      })
    const there = opened(
      await receiver(({ path }, reply) =>
        reply.send(path.endsWith('big') ? Buffer.alloc(10_000_000) : endless()),
      ),
    )
    const one = teller([on(`${there.url}/big`), { ...on(`${there.url}/endless`), name: 'endless' }])
    await post(house, noticeOf())
    await one.round()
    assert.equal(
      (await rows()).map(({ status }) => status),
      ['sent', 'sent'],
    )
    assert.ok(sent < 20_000_000, `${sent} bytes were taken`)
  })

  test('a redirect is a failure that says so, and is not followed', async () => {
    const there = opened(
      await receiver(
        (_request, reply) => void reply.redirect('http://169.254.169.254/latest/meta-data'),
      ),
    )
    await post(house, noticeOf())
    await teller([on(there.url)]).round()
    assert.match(
      (await rows())[0].error,
      /answered with a redirect \(302\), and redirects are not followed/,
    )
    assert.is(there.received.length, 1)
  })

  test('private addresses are not called, by address or by name, and the sentence says how to allow them', async () => {
    const there = opened(await receiver())
    const mail = opened(await mailbox())
    const urls = ['127.0.0.1', 'localhost', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]', '[::1]']
    const some = urls.map((host, at) => ({
      ...on(`http://${host}:${there.port}/`),
      name: `route${at}`,
    }))
    const to = email({
      host: 'localhost',
      port: mail.port,
      from: 'a@example.com',
      to: 'b@example.com',
    })
    const one = teller([...some, { ...on(there.url), name: 'mail', to }], { allowPrivate: [] })
    await post(house, noticeOf())
    await one.round()
    assert.is(there.received.length, 0)
    assert.is(mail.received.length, 0)
    for (const { route, status, error } of await rows()) {
      assert.is(status, 'sending', route)
      assert.match(
        error,
        /^\S+ was not called: its address \S+ is this machine itself \(loopback\)\.$/,
      )
    }
  })

  test('proxies of the environment are not asked', async () => {
    const [proxy, there] = [opened(await receiver()), opened(await receiver())]
    const { env } = process
    env.HTTP_PROXY = env.http_proxy = `http://127.0.0.1:${proxy.port}`
    try {
      await post(house, noticeOf())
      await teller([on(there.url)]).round()
    } finally {
      delete env.HTTP_PROXY
      delete env.http_proxy
    }
    assert.equal([proxy.received.length, there.received.length], [0, 1])
  })

  test('two tellers side by side send each delivery once, and no close before its open', async () => {
    const there = opened(await receiver(async () => ({})))
    const neighbour = await house.neighbour()
    const to = pagerduty({ routingKey: 'r', url: there.url })
    const route = { name: 'pager', to, groupWait: 0 }
    const parts = {
      database: neighbour.rooms.database,
      notices: new Notices({ database: neighbour.rooms.database, time }),
    }
    const both = [teller([route]), teller([route], {}, parts)]
    const alarms = Array.from({ length: 60 }, (_none, at) => alarmOf(`k${at}`))
    await post(house, ...alarms.map((alarm) => alarm.opened()))
    await Promise.all(both.map((one) => one.round()))
    await post(house, ...alarms.map((alarm) => alarm.closed()))
    for (let round = 0; round < 4; round++) {
      await Promise.all(both.map((one) => one.round()))
      await time.advance(1)
    }
    const told = there.received.map(({ json }) => `${json.event_action} ${json.dedup_key}`)
    assert.is(told.length, 120)
    for (const { key } of alarms.map((_one, at) => ({ key: `k${at}` }))) {
      assert.equal(
        told.filter((line) => line.endsWith(` ${key}`)),
        [`trigger ${key}`, `resolve ${key}`],
      )
    }
  })

  // The embedded database has one session: there nobody gets in between.
  if (setting !== 'embedded') {
    test('hands over one after another: nobody gets a close while another still writes down its open', async () => {
      const { database } = house.app.rooms
      const notices = new Notices({ database, time })
      const alarm = alarmOf('k')
      await post(house, alarm.opened(), alarm.closed())
      const [kept, written] = [[] as string[], gate()]
      const keep = (wait: Promise<void>) => async (_runner: unknown, some: readonly Notice[]) => {
        await wait
        kept.push(...some.map(({ type }) => type))
      }
      const first = notices.hand(1, keep(written.passed))
      const locks = (isGranted: boolean) =>
        house.sql(
          `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = 730631 AND granted = $1`,
          [isGranted],
        )
      await until(async () => (await locks(true)).length > 0, { what: 'the first hands over' })
      const second = notices.hand(10, keep(Promise.resolve()))
      await until(async () => (await locks(false)).length > 0, { what: 'the second waits' })
      assert.equal(kept, [])
      written.open()
      await Promise.all([first, second])
      assert.equal(kept, ['alarm.opened', 'alarm.closed'])
    })
  }

  test('what ended long ago is removed, also what no route wanted; an open alarm’s last word stays until its close', async () => {
    const there = opened(await receiver())
    const one = teller([{ ...on(there.url), when: { type: 'alarm.*' }, groupBy: ['resourceId'] }], {
      keep: '1d',
    })
    const alarm = alarmOf('k')
    await post(house, alarm.opened(), noticeOf())
    await one.round()
    await time.advance(2)
    await post(house, alarm.repeated())
    await one.round()
    assert.is((await rows()).length, 2)
    await time.advance(25 * 3_600_000)
    await one.round()
    assert.equal((await rows()).length, 1)
    assert.is((await house.sql('SELECT count(*) AS count FROM notices'))[0].count, 0)
    await post(house, alarm.closed())
    await one.round()
    assert.is(there.received.at(-1)!.json.data.isOver, true)
    await time.advance(25 * 3_600_000)
    await one.round()
    assert.equal(await rows(), [])
  })

  test('what waits for a route that nobody has is given up in the end', async () => {
    const [there, other] = [opened(await receiver()), opened(await receiver())]
    const [before, after] = [
      teller([{ ...on(there.url), groupWait: '1m' }]),
      teller([{ ...on(other.url), name: 'new', when: { kind: 'x' } }], { keep: '1d' }),
    ]
    await post(house, noticeOf())
    await before.round()
    await time.advance(25 * 3_600_000)
    await after.round()
    assert.equal(
      (await rows()).map(({ status, error }) => [status, error]),
      [['dead', 'There is no route of this name.']],
    )
  })

  test('as a duty of the clock it tells by itself, says what goes wrong, goes on, and stops', async () => {
    const there = opened(await receiver())
    const plugin = notifications({ routes: [on(there.url)], allowPrivate: ['127.0.0.1'] })
    const { events, rooms } = house.app
    const { database } = rooms
    const notices = new Notices({ database, time: new SystemTime() })
    let isBroken = true
    const release = () =>
      isBroken ? Promise.reject(new Error('broken')) : Notices.prototype.release.call(notices)
    const faulty = {
      hand: notices.hand.bind(notices),
      sift: notices.sift.bind(notices),
      prune: notices.prune.bind(notices),
      release,
    }
    const premises: any = { events, database, time: new SystemTime(), notices: faulty }
    assert.is(plugin.duty!(premises, 'worker'), null)
    const heard = signalOf(events, 'plugin.failed', ({ plugin: name }) => name === 'notifications')
    const duty = plugin.duty!(premises, 'clock')!
    try {
      await post(house, noticeOf())
      assert.is((await heard).error.message, 'broken')
      isBroken = false
      await until(() => there.received.length === 1, { what: 'the receiver was told' })
      await until(async () => (await rows())[0].status === 'sent', {
        what: 'that was written down',
      })
    } finally {
      await duty.stop()
    }
    assert.ok(database instanceof Database)
  })

  test('a house that closes while a receiver hangs does not wait for it', async () => {
    const hanging = opened(await receiver(() => new Promise(() => {})))
    const one = teller([{ ...on(hanging.url), to: slack({ url: hanging.url }) }]).start()
    await post(house, noticeOf())
    await until(
      async () => {
        await time.advance(100)
        return hanging.received.length === 1
      },
      { what: 'it was asked' },
    )
    const stopped = one.stop()
    await time.advance(5_000)
    await stopped
    assert.match((await rows())[0].error, /could not deliver/)
  })

  test.run()
}
