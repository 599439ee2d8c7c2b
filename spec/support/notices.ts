// What notifications are proved with: notices written by SQL, and real receivers on loopback.
// Promise: a receiver keeps every request with its exact bytes; how it answers is told by the spec.
import type { AddressInfo } from 'node:net'
import { type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import PostalMime, { type Email } from 'postal-mime'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { newId } from '../../lib/id.ts'
import type { NewNotice } from '../../lib/notice.ts'
import { SystemTime } from '../../lib/time.ts'
import { Notices } from '../../models/notices.ts'
import { type NotificationsOptions, settingsOf } from '../../plugins/notifications/options.ts'
import { Teller, type TellerParts } from '../../plugins/notifications/teller.ts'
import type { House } from './house.ts'

const time = new SystemTime()

/** A notice of an alarm, or of a type of the user's own. */
export function noticeOf(more: Partial<NewNotice> & { alarm?: object } = {}): NewNotice {
  const { alarm, ...rest } = more
  const about = { alarmId: null, episode: null, kind: 'Server', resourceId: null, task: null }
  const notice = { id: newId(time), type: 'order.late', severity: 'error' as const, ...about }
  const text = { message: 'the disk is full', labels: {}, payload: (alarm ? { alarm } : {}) as any }
  return { ...notice, ...text, ...rest }
}

/** The notices of one alarm: all of one key and one episode. */
export function alarmOf(key: string, more: Partial<NewNotice> = {}) {
  const alarmId = newId(time)
  const of =
    (type: string) =>
    (changes: Partial<NewNotice> & { alarm?: object } = {}) =>
      noticeOf({
        ...{ type, alarmId, episode: 1, severity: 'critical' as const, message: `${key} is down` },
        ...{ ...more, ...changes },
        alarm: {
          id: alarmId,
          key,
          name: 'down',
          state: 'open',
          playbook: 'turn it on',
          ...changes.alarm,
        },
      })
  return {
    alarmId,
    opened: of('alarm.opened'),
    repeated: of('alarm.repeated'),
    closed: of('alarm.closed'),
  }
}

/** Writes notices as a commit does. */
export async function post(house: House, ...notices: readonly NewNotice[]): Promise<void> {
  const rows = notices.map(({ alarmId: alarm_id, resourceId: resource_id, ...rest }) => ({
    ...{ ...rest, alarm_id, resource_id, unit_id: newId(time), at: new Date(time.now()) },
  }))
  await house.sql(
    `INSERT INTO notices (id, type, severity, alarm_id, episode, kind, resource_id, task, message, labels, payload, unit_id, at)
     SELECT id, type, severity, alarm_id, episode, kind, resource_id, task, message, labels, payload, unit_id, at
     FROM jsonb_to_recordset($1::jsonb) AS n(id uuid, type text, severity text, alarm_id uuid, episode integer, kind text,
       resource_id uuid, task text, message text, labels jsonb, payload jsonb, unit_id uuid, at timestamptz)`,
    [JSON.stringify(rows)],
  )
}

/** A teller as the plugin makes it, to be driven by hand. Close it. */
export function tellerOf(
  { app }: House,
  options: NotificationsOptions,
  more: Partial<TellerParts> & Pick<TellerParts, 'time'>,
): Teller {
  const { database } = app.rooms
  const { events } = app
  const settings = settingsOf({ allowPrivate: ['127.0.0.1', '::1'], ...options })
  return new Teller(settings, {
    database,
    events,
    notices: new Notices({ database, time: more.time }),
    ...more,
  })
}

export interface Received {
  readonly path: string
  readonly headers: Record<string, string>
  readonly text: string
  readonly json: any
}

/** How a receiver answers its requests; 200 unless told. */
export type Answer = (request: Received, reply: FastifyReply, raw: FastifyRequest) => unknown

/** A real HTTP server on loopback. */
export async function receiver(answer: Answer = () => ({}), at = 0) {
  const server = fastify({ forceCloseConnections: true, bodyLimit: 10_000_000 })
  const received: Received[] = []
  const set = { answer }
  server.addContentTypeParser('application/json', { parseAs: 'string' }, (_raw, body, done) =>
    done(null, body),
  )
  server.all('/*', async (raw, reply) => {
    const text = String(raw.body ?? '')
    const headers = raw.headers as Record<string, string>
    const one = { path: raw.url, headers, text, json: text === '' ? null : JSON.parse(text) }
    received.push(one)
    return set.answer(one, reply, raw)
  })
  await server.listen({ port: at, host: '127.0.0.1' })
  const { port } = server.server.address() as AddressInfo
  return {
    ...{ received, port, url: `http://127.0.0.1:${port}/hook` },
    answers: (next: Answer) => {
      set.answer = next
    },
    close: () => server.close(),
  }
}

/** A real SMTP server on loopback; what it takes is read by a parser that shares no code with the sender. */
export async function mailbox(options: SMTPServerOptions = {}) {
  const received: { raw: string; mail: Email; to: string[] }[] = []
  const server = new SMTPServer({
    ...{ authOptional: true, disabledCommands: ['STARTTLS'], closeTimeout: 100 },
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => void chunks.push(chunk))
      stream.on('end', async () => {
        const raw = Buffer.concat(chunks).toString('latin1')
        const to = session.envelope.rcptTo.map(({ address }) => address)
        received.push({ raw, mail: await PostalMime.parse(Buffer.concat(chunks)), to })
        done()
      })
    },
    ...options,
  })
  server.on('error', () => {})
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.server.address() as AddressInfo
  return { received, port, close: () => new Promise<void>((resolve) => void server.close(resolve)) }
}
