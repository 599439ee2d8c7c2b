// The practice cloud keeps the promises a real one would: keys, troubles, deaths.
import { CloudClient, CloudError } from '../../examples/server/client.ts'
import { Cloud, type CloudOptions } from '../../examples/server/cloud.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

const cloud = suite('the practice cloud')
const { signal } = new AbortController()
const order = { plan: 'small', owner: 'me' }

async function open(options: CloudOptions = {}) {
  const place = new Cloud({ troublesPercent: 0, bootMs: 1, death: null, ...options })
  const address = await place.listen()
  return { place, address, client: new CloudClient(async () => address) }
}

const errorOf = (work: Promise<unknown>): Promise<CloudError> =>
  work.then(
    () => Promise.reject(new Error('it did not fail')),
    (error) => error,
  )

cloud('answers the same key and body alike', async () => {
  const { place, client } = await open()
  const first = await client.order(order, { key: 'k', signal })
  assert.equal(await client.order(order, { key: 'k', signal }), first)
  await client.order(order, { key: 'another', signal })
  assert.is(place.machines.length, 2)
})

cloud('refuses the same key with another body, for good', async () => {
  const { place, client } = await open()
  await client.order(order, { key: 'k', signal })
  const error = await errorOf(client.order({ ...order, plan: 'large' }, { key: 'k', signal }))
  assert.is(error.status, 409)
  assert.is(error.retryable, false)
  assert.is(place.machines.length, 1)
})

cloud('rents no second machine when the answer to an order was lost', async () => {
  const { place, client } = await open({ troublesPercent: 70 })
  const ordered = () => client.order(order, { key: 'k', signal })
  const machine = await until(ordered, { what: 'an order was answered' })
  assert.equal(
    place.machines.map(({ id }) => id),
    [machine.id],
  )
})

cloud('says whether and when to try again', async () => {
  const { client } = await open({ troublesPercent: 100 })
  const errors: CloudError[] = []
  const both = async () => {
    errors.push(await errorOf(client.find('m1', { signal })))
    return new Set(errors.map(({ status }) => status)).size === 2
  }
  await until(both, { what: 'both troubles were met' })
  for (const { status, retryable, retryAfterMs } of errors) {
    assert.ok(retryable)
    assert.is(retryAfterMs, status === 429 ? 1_000 : undefined)
  }
})

cloud('is no answer, and worth another try, when nobody listens', async () => {
  const error = await errorOf(
    new CloudClient(async () => 'http://127.0.0.1:1').find('m1', { signal }),
  )
  assert.instance(error, CloudError)
  assert.is(error.status, 0)
  assert.is(error.retryable, true)
})

cloud('boots machines, lets one die, and forgets what is given back', async () => {
  const { client } = await open({ death: { machine: 1, afterMs: 50 } })
  const { id } = await client.order(order, { key: 'k', signal })
  const stateOf = async () => (await client.find(id, { signal }))?.state
  await until(async () => (await stateOf()) === 'dead', { what: 'the machine died' })
  assert.is((await client.ownedBy('me', { signal })).length, 1)
  await client.remove(id, { signal })
  await client.remove(id, { signal })
  assert.is(await client.find(id, { signal }), null)
})

cloud('has the same troubles for the same seed', async () => {
  const course = async (seed: number) => {
    const { client } = await open({ troublesPercent: 50, seed })
    const statuses: number[] = []
    for (let n = 0; n < 20; n++) {
      statuses.push(
        await client.ownedBy('me', { signal }).then(
          () => 200,
          ({ status }) => status,
        ),
      )
    }
    return statuses.join()
  }
  assert.is(await course(7), await course(7))
  assert.is.not(await course(7), await course(8))
})

cloud.run()
