// The ancestor's example, told again: one resource, two tasks of a few steps each, and a secret.
import {
  type App,
  defineApp,
  field,
  Resource,
  type Self,
  type StepWork,
  secret,
  steps,
} from 'escapement'
import * as z from 'zod'

type Me = StepWork<Self<typeof Example.fields>>

/** Leaves something behind for the other task. */
const echo = steps({
  one: async ({ resource }: Me) => {
    resource.something = [1, 2, 3]
    return 'two'
  },
  two: async ({ resource, stop }: Me) => stop(resource.something),
})

/** Waits until there is something to hear, and keeps the moment and the password it was told. */
const another = steps({
  one: async ({ resource }: Me) => {
    resource.since = new Date()
    return 'two'
  },
  two: async ({ resource, again }: Me) => (resource.something ? 'three' : again('100ms')),
  three: async ({ resource, stop }: Me) => {
    resource.password = `heard ${resource.something}`
    return stop(resource.since)
  },
})

export class Example extends Resource {
  static override fields = {
    nice: field(z.boolean().default(true)),
    something: field(z.array(z.number()).optional()),
    since: field(z.date().optional()),
    password: secret(z.string().optional()),
  }
  static override tasks = { echo, another }
}

export default defineApp({ name: 'toygun', resources: [Example] })

export async function seed(app: App): Promise<void> {
  const example = await app.create(Example, {})
  await example.another.start()
  await example.echo.start()
}
