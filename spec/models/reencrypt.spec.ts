// Re-encryption: everything an older key sealed is sealed by the newest, and nothing else is touched.
import { setup } from 'xstate'
import * as z from 'zod'
import { decode, encode } from '../../lib/codec.ts'
import type { Runner } from '../../lib/database.ts'
import { asError } from '../../lib/errors.ts'
import { Keyring } from '../../lib/keyring.ts'
import { Secret } from '../../lib/secret.ts'
import { field, Resource, secret, steps } from '../../models/index.ts'
import { reencrypt } from '../../models/reencrypt.ts'
import { strike } from '../../models/roll.ts'
import { countSealed, PLACES, resealed } from '../../models/sealed.ts'
import { drive, type House, openHouse } from '../support/house.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const NOW = 1_700_000_000_000

class Vault extends Resource {
  static override fields = {
    word: secret(z.string()),
    note: field(z.string().optional()),
  }
  static override tasks = {
    keep: steps({ one: async ({ stop }) => stop(new Secret('output')) }),
    wait: setup({}).createMachine({
      initial: 'here',
      states: { here: { on: { GO: 'there' } }, there: { type: 'final' } },
    }),
  }
}

const text = suite('resealing a text')
const old = Keyring.parse(Keyring.generate())
const ring = old.rotated()
const sealer = (keyring: Keyring) => ({
  seal: (plain: string) => keyring.seal('fields', plain, NOW),
  open: (sealed: string) => keyring.open('fields', sealed, NOW),
})

/** As PostgreSQL prints jsonb: a space after each colon. */
const asColumn = (value: unknown, keyring: Keyring) =>
  JSON.stringify(encode(value, sealer(keyring))).replaceAll('"$secret":"', '"$secret": "')

text('seals again what an older key sealed, secrets inside secrets too', () => {
  const value = { a: new Secret({ inner: new Secret('x') }), b: [new Secret(1)], c: 'plain' }
  const { text: fresh, count } = resealed(asColumn(value, old), ring, NOW)
  assert.is(count, 2)
  const only = Keyring.parse(ring.serialize().split(',')[1]!)
  const back: any = decode(JSON.parse(fresh), sealer(only))
  assert.is(back.a.reveal().inner.reveal(), 'x')
  assert.is(back.b[0].reveal(), 1)
  assert.is(resealed(fresh, ring, NOW).count, 0)
  assert.is(resealed(fresh, ring, NOW).text, fresh)
})

text('touches no number, and no text that only looks sealed', () => {
  const huge = '{"n": 123456789012345678901234567890.5, "f": 1.10}'
  assert.is(resealed(huge, ring, NOW).text, huge)
  const lookalikes = { 'a"$secret': '0.abc', b: '"$secret": "0.abc"', $secret: '0.abc', c: '\\' }
  const column = JSON.stringify(encode(lookalikes, sealer(old))).replaceAll('":"', '": "')
  assert.equal(resealed(column, ring, NOW), { text: column, count: 0 })
})

text('fails where a key is missing', () => {
  const alone = Keyring.parse(Keyring.generate(7))
  const sealed = asColumn(new Secret('x'), old)
  let code = ''
  try {
    resealed(sealed, alone, NOW)
  } catch (thrown) {
    code = (thrown as { code: string }).code
  }
  assert.is(code, 'SEAL_UNKNOWN_KEY')
})

text.run()

const test = suite('re-encryption')

/** A house, and the keyring it will have after a rotation. */
async function opened() {
  const fake = new FakeTime()
  const house = await openHouse({ resources: [Vault], time: fake })
  const { database, keyring } = house.app.rooms
  const rotated = keyring.rotated()
  return { house, database, rotated, time: fake, driver: drive({ app: house.app, time: fake }) }
}

async function sealedWith(house: House, id: number): Promise<number> {
  const counts = await countSealed(house.app.rooms.database)
  return counts.find(({ keyId }) => keyId === id)?.total ?? 0
}

test('reaches every place where something is sealed', async () => {
  const { house, database, rotated, time, driver } = await opened()
  const vault = await house.app.create(Vault, { word: 'one' })
  await vault.keep.start(new Secret('arguments') as never)
  await vault.wait.start()
  await driver.settle()
  await vault.wait.send({ type: 'GO', carried: new Secret('event') })
  const lost = JSON.stringify(encode({ gone: new Secret('aside') }, sealerOf(house)))
  await house.sql('UPDATE resources SET lost_and_found = $1::jsonb', [lost])

  const [before] = await countSealed(database)
  assert.equal(
    Object.keys(before!.places),
    PLACES.map(({ name }) => name),
  )
  for (const [name, count] of Object.entries(before!.places))
    assert.ok(count > 0, `none in ${name}`)
  const done = await reencrypt({ database, keyring: rotated, time })
  assert.is(done, before!.total)
  const [after, ...others] = await countSealed(database)
  assert.equal({ ...after, keyId: before!.keyId }, before)
  assert.equal(others, [])

  await strike(database, rotated.newest)
  const newest = rotated.serialize().split(',')[1]!
  const other = await house.neighbour({ config: { ESCAPEMENT_KEYS: newest } })
  assert.is((await other.get(Vault, vault.id)).word, 'one')
  assert.is(await reencrypt({ database, keyring: rotated, time }), 0)
  await house.close()
})

test('leaves the history append only for everybody else', async () => {
  const { house, database, rotated, time } = await opened()
  const vault = await house.app.create(Vault, { word: 'one' })
  await vault.keep.start(new Secret('arguments') as never)
  await reencrypt({ database, keyring: rotated, time })
  const refused = await house.sql("UPDATE transitions SET event = 'forged'").catch(asError)
  assert.match(String(refused), 'append only')
  await house.close()
})

test('goes page by page, stops between two, and goes on where it was', async () => {
  const { house, database, rotated, time } = await opened()
  for (let made = 0; made < 210; made++) await house.app.create(Vault, { word: `word ${made}` })
  const stop = new AbortController()
  const pages: number[] = []
  const onPage = (values: number) => {
    pages.push(values)
    stop.abort()
  }
  const first = await reencrypt({ database, keyring: rotated, time, onPage, signal: stop.signal })
  assert.is(first, 200)
  assert.equal(pages, [200])
  assert.is(await sealedWith(house, 0), 10)
  assert.is(await reencrypt({ database, keyring: rotated, time }), 10)
  assert.is(await sealedWith(house, rotated.newest), 210)
  await house.close()
})

test('leaves what changed meanwhile to the next round', async () => {
  const { house, database, rotated, time } = await opened()
  await house.app.create(Vault, { word: 'one' })
  const change = `UPDATE resources SET fields = fields || '{"note": "another was faster"}'`
  let interfered = 0
  /** Somebody else writes after the page was read and before it is written. */
  const transaction = <T>(work: (runner: Runner) => Promise<T>) =>
    database.transaction((runner) =>
      work({
        query: async (sql, params) => {
          if (/UPDATE resources/.test(sql) && interfered++ === 0) await runner.query(change)
          return runner.query(sql, params)
        },
      }),
    )
  const done = await reencrypt({ database: { transaction }, keyring: rotated, time })
  assert.is(done, 1)
  assert.ok(interfered > 1, 'it came back for the row')
  const [row] = await house.sql('SELECT fields FROM resources')
  assert.is(row.fields.note, 'another was faster')
  assert.is(await sealedWith(house, 0), 0)
  await house.close()
})

test.run()

function sealerOf(house: House) {
  return sealer(house.app.rooms.keyring)
}
