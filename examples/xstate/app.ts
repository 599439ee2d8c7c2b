// The machines of the XState documentation's kind, each owned by a resource.
import { type App, defineApp, Resource } from 'escapement'
import { auth } from './auth.ts'
import { checkout } from './checkout.ts'
import { fetchWithRetry } from './fetch.ts'
import { form } from './form.ts'
import { trafficLight } from './traffic-light.ts'

export class Crossing extends Resource {
  static override tasks = { light: trafficLight }
}

export class Page extends Resource {
  static override tasks = { fetch: fetchWithRetry }
}

export class Profile extends Resource {
  static override tasks = { form }
}

export class Shop extends Resource {
  static override tasks = { checkout }
}

export class Account extends Resource {
  static override tasks = { auth }
}

export default defineApp({ name: 'xstate', resources: [Crossing, Page, Profile, Shop, Account] })

/** One of each, at work. */
export async function seed(app: App): Promise<void> {
  const because = { reason: 'seed' }
  await (await app.create(Crossing, {})).light.start(undefined, because)
  const url = 'data:application/json,{"hello":"world"}'
  await (await app.create(Page, {})).fetch.start({ url }, because)
  await (await app.create(Profile, {})).form.start(undefined, because)
  await (await app.create(Shop, {})).checkout.start(undefined, because)
  await (await app.create(Account, {})).auth.start(undefined, because)
}
