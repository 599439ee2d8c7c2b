// The roll: a process whose keys this database does not know does not start.
import { Keyring, Resource } from '../../bin/index.ts'
import { strike } from '../../models/roll.ts'
import { type House, openHouse } from '../support/house.ts'
import { assert, suite } from '../support/suite.ts'

class Box extends Resource {}

const test = suite('roll')
const OLD = Keyring.generate(0)
const NEW = Keyring.generate(1)

const keyed = (keys: string) => ({ config: { ESCAPEMENT_KEYS: keys } })
const opened = (house: House, keys: string) =>
  house.neighbour(keyed(keys)).then(
    () => 'opened',
    ({ code }) => code,
  )

test('refuses another key of the same number', async () => {
  const house = await openHouse({ resources: [Box], ...keyed(OLD) })
  assert.is(await opened(house, Keyring.generate(0)), 'KEY_MISMATCH')
  assert.is(await opened(house, OLD), 'opened')
  await house.close()
})

test('refuses a keyring without a key that sealed something here', async () => {
  const house = await openHouse({ resources: [Box], ...keyed(OLD) })
  assert.is(await opened(house, NEW), 'KEY_ABSENT')
  assert.is(await opened(house, `${OLD},${NEW}`), 'opened')
  assert.is(await opened(house, OLD), 'KEY_ABSENT', 'the new key seals now')
  await house.close()
})

test('lets an old key go once it is struck off', async () => {
  const house = await openHouse({ resources: [Box], ...keyed(`${OLD},${NEW}`) })
  await house.sql("INSERT INTO keys VALUES (0, 'whoever')")
  assert.is(await opened(house, NEW), 'KEY_ABSENT')
  await strike(house.app.rooms.database, 1)
  assert.is(await opened(house, NEW), 'opened')
  await house.close()
})

test.run()
