// The stage of the walk in docs/alarms.md: a cloud that can go down, somebody who is told, and a house whose time we move.
// Promise: all else is real: machines, commits, webhooks over HTTP, signatures checked by the library that defines them.
import { Webhook } from 'standardwebhooks'
import { type Duration, toMs } from '../../lib/duration.ts'
import type { App, AppDefinition } from '../../models/app.ts'
import { Patrol } from '../../models/patrol.ts'
import type { NotificationsOptions } from '../../plugins/notifications/options.ts'
import type { Teller } from '../../plugins/notifications/teller.ts'
import { drive } from './drive.ts'
import { type House, openHouse } from './house.ts'
import { type Answer, receiver, tellerOf } from './notices.ts'
import { quickest } from './services.ts'
import { FakeTime } from './time.ts'

/** A cloud: it boots servers while it is up. */
export const cloud = {
  isUp: true,
  asked: 0,
  async boot(): Promise<string> {
    cloud.asked += 1
    if (!cloud.isUp) throw new Error('the cloud does not answer')
    return '192.0.2.1'
  },
}

/** What somebody was told, one a webhook. */
export interface Heard {
  readonly id: string
  readonly title: string
  readonly notices: readonly { readonly type: string; readonly payload: any }[]
}

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G'
const heard: Heard[] = []

/** Whoever is told: every webhook whose signature is right. */
export const hook = { heard, secret: SECRET }

/** A wrong signature is answered with 500, and nothing is heard. */
const hear: Answer = ({ headers, text, json }) => {
  const id = String(headers['webhook-id'])
  // Time stands still here, so it is not held against the clock of this machine.
  const at = new Date(Number(headers['webhook-timestamp']) * 1_000)
  if (new Webhook(SECRET).sign(id, at, text) !== headers['webhook-signature'])
    throw new Error('the signature is wrong')
  heard.push({ ...json.data, id })
  return {}
}

let server: Awaited<ReturnType<typeof receiver>>
let house: House
let teller: Teller
let move: (ms: number) => Promise<void>

/** Where webhooks go. */
export async function listen(): Promise<string> {
  server = await receiver(hear)
  return server.url
}

/**
 * Opens a house whose time stands still.
 * @param told the options of its notifications, whose teller is moved along with it
 */
export async function open(definition: AppDefinition, told: NotificationsOptions): Promise<App> {
  const time = new FakeTime()
  house = await openHouse({ ...definition, time, setting: quickest() })
  const { app } = house
  const { events, store, rooms } = app
  const { settle, advance } = drive({ app, time })
  teller = tellerOf(house, told, { time })
  const { knex } = rooms.database
  const { toldMs } = rooms.config
  const patrol = new Patrol({ store, time, events, knex, overdueMs: 300_000, toldMs })
  move = async (ms) => {
    for (let left = ms; left > 0; left -= STEP_MS) {
      await advance(Math.min(left, STEP_MS))
      // What a clock does at each beat, and beside it.
      await store.due(1_000)
      await settle()
      await patrol.round()
      await teller.round()
    }
  }
  return app
}

const STEP_MS = 1_000

/** Lets time pass; the house goes on meanwhile. */
export const pass = (time: Duration): Promise<void> => move(toMs(time, 'pass'))

export async function close(): Promise<void> {
  await teller.close()
  await house.close()
  await server.close()
}
