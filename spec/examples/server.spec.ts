// The first thing a reader runs: it ends by itself, one death is mended, nothing is left rented.
// timeout: 240s
import appFile, { seed } from '../../examples/server/app.ts'
import { theCloud } from '../../examples/server/cloud.ts'
import { Fleet } from '../../examples/server/fleet.ts'
import { Server } from '../../examples/server/server.ts'
import { openHouse } from '../support/house.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

const example = suite('the server example')
const { resources } = appFile

/** The machines the cloud still has for these servers. */
async function rented(servers: readonly { id: string }[]): Promise<unknown[]> {
  const address = await theCloud()
  const ask = async ({ id }: { id: string }) => {
    const answer = await fetch(`${address}/machines?owner=${id}`)
    if (!answer.ok) throw new Error(`the cloud answered ${answer.status}`)
    return answer.json() as Promise<unknown[]>
  }
  return (await Promise.all(servers.map(ask))).flat()
}

/** On a slow machine the one that dies by itself may do so before anybody watches it. */
async function killed(server: { id: string }): Promise<boolean> {
  const [machine] = (await rented([server])) as { id: string }[]
  const answer = await fetch(`${await theCloud()}/machines/${machine!.id}/kill`, { method: 'POST' })
  return answer.ok
}

example('runs from nothing to nothing', { deadlineMs: 120_000 }, async () => {
  const { app, sql, close } = await openHouse({ resources })
  await seed(app)
  await app.start()
  const servers = app.find(Server)
  const someoneIsUp = async () => (await servers.where({ health: 'up' }).count()) > 0
  await until(someoneIsUp, { what: 'a server was up', deadlineMs: 30_000 })
  const [{ fields }] = await sql(`SELECT fields FROM resources WHERE fields ->> 'health' = 'up'`)
  assert.not.match(JSON.stringify(fields.password), 'pw-', 'the password is readable')
  const [up] = await servers.where({ health: 'up' }).toArray()
  await until(() => killed(up!), { what: 'its machine died' })

  await until(() => app.isIdle(), { what: 'nothing was left to do', deadlineMs: 60_000 })
  const all = await servers.toArray()
  assert.equal(
    [...new Set(all.map(({ health, state }) => `${health} ${state}`))],
    ['gone __stop__'],
  )
  assert.is(all.length, 5)
  assert.is(Math.max(...all.map(({ replacements }) => replacements)), 1)
  const left = await until(() => rented(all).then((machines) => ({ machines })), {
    what: 'the cloud answered',
  })
  assert.equal(left.machines, [])
  assert.equal(await sql(`SELECT name FROM tasks WHERE status NOT IN ('done', 'stopped')`), [])
  await close()
})

example('goes on with a fleet at work instead of making another', async () => {
  const { app, close } = await openHouse({ resources })
  await seed(app)
  await seed(app)
  assert.is(await app.find(Fleet).count(), 1)
  const fleet = await app.find(Fleet).first()
  assert.is(await fleet?.run.stop(), true)
  await seed(app)
  assert.is(await app.find(Fleet).count(), 2)
  await close()
})

example.run()
