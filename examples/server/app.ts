// The app of `npm start`: a fleet of five servers, from nothing to nothing in a quarter of a minute.
import { type App, defineApp } from 'escapement'
import { Fleet } from './fleet.ts'
import { Server } from './server.ts'

export default defineApp({ name: 'server', resources: [Server, Fleet] })

/** Something to do, unless a fleet is at work already: one that a crash interrupted goes on by itself. */
export async function seed(app: App): Promise<void> {
  for await (const fleet of app.find(Fleet)) if (await fleet.run.running()) return
  const fleet = await app.create(Fleet, { size: 5 })
  await fleet.start()
  await fleet.run.start({ servesMs: 5_000 }, { reason: 'npm start' })
}
