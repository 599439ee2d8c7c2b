// Re-encryption: everything an older key sealed is sealed by the newest, and nothing else is touched.
import * as z from 'zod'
import { decode, encode } from '../../lib/codec.ts'
import { Keyring } from '../../lib/keyring.ts'
import { Secret } from '../../lib/secret.ts'
import { SystemTime } from '../../lib/time.ts'
import { App, field, Resource, secret, steps } from '../../models/index.ts'
import { reencrypt } from '../../models/reencrypt.ts'
import { countSealed, resealed } from '../../models/sealed.ts'
import { drive, type House, openHouse } from '../support/house.ts'
import { assert, suite } from '../support/suite.ts'

const time = new SystemTime()
const NOW = 1_700_000_000_000

class Vault extends Resource {
  static override fields = {
    word: secret(z.string()),
    note: field(z.string().optional()),
  }
  static override tasks = {
    keep: steps({ one: ({ stop }) => stop(new Secret('output')) }),
    wait: steps({ one: ({ again }) => again('1h') }),
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
let house: House

test.before.each(async () => {
  house = await openHouse({ resources: [Vault] })
})
test.after.each(() => house.close())

/** So many vaults, each with sealed values in its fields and in its history. */
async function fill(count: number): Promise<void> {
  for (let made = 0; made < count; made++) {
    const vault = await house.app.create(Vault, { word: `word ${made}` })
    await vault.keep.start(new Secret('arguments') as never)
  }
  await drive(house.app).untilIdle()
}

const rotated = () => house.app.rooms.keyring.rotated()
const total = async (keyId: number) =>
  (await countSealed(house.app.rooms.database)).find((one) => one.keyId === keyId)?.total ?? 0

test.run()
