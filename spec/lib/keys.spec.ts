// Where the keys are: in a variable, in a file, or made once for an embedded folder.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Environment, readConfig } from '../../lib/config.ts'
import { Keyring } from '../../lib/keyring.ts'
import { keysFileOf, loadKeyring, saveKeyring } from '../../lib/keys.ts'
import { codeOf } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('keys')
const folders: string[] = []
const fresh = () => {
  folders.push(mkdtempSync(join(tmpdir(), 'escapement-keys-')))
  return folders.at(-1)!
}
test.after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

const DATABASE_URL = 'postgres://localhost/x'
const load = (environment: Environment) => loadKeyring(readConfig(environment))
const modeOf = (file: string) => statSync(file).mode & 0o777

test('are taken from the variable', () => {
  const keys = Keyring.generate(4)
  const config = readConfig({ ESCAPEMENT_KEYS: keys })
  assert.is(keysFileOf(config), null)
  assert.equal(loadKeyring(config).ids, [4])
})

test('are taken from the file that is named', async () => {
  const file = join(fresh(), 'ring')
  saveKeyring(file, Keyring.parse(Keyring.generate(2)))
  assert.equal(load({ DATABASE_URL, ESCAPEMENT_KEYS_FILE: file }).ids, [2])
  const missing = { ESCAPEMENT_KEYS_FILE: `${file}-gone` }
  assert.is(await codeOf(() => load(missing)), 'KEYS_MISSING')
  writeFileSync(file, 'rubbish')
  assert.is(await codeOf(() => load({ ESCAPEMENT_KEYS_FILE: file })), 'KEY_INVALID')
})

test('are made for an embedded folder, once, for its owner alone', () => {
  const folder = join(fresh(), 'deep', 'er')
  const made = load({ ESCAPEMENT_DATA: folder })
  const file = keysFileOf(readConfig({ ESCAPEMENT_DATA: folder }))!
  assert.is(modeOf(file), 0o600)
  assert.is(modeOf(folder), 0o700)
  assert.is(load({ ESCAPEMENT_DATA: folder }).serialize(), made.serialize())
})

test('are never made up for a database that others use', async () => {
  const folder = fresh()
  const environment = { DATABASE_URL, ESCAPEMENT_DATA: folder }
  assert.is(await codeOf(() => load(environment)), 'KEYS_MISSING')
})

test('are saved whole, over what was there', () => {
  const file = join(fresh(), 'ring')
  saveKeyring(file, Keyring.parse(Keyring.generate(1)))
  const two = Keyring.parse(`${Keyring.generate(1)},${Keyring.generate(2)}`)
  saveKeyring(file, two)
  assert.is(readFileSync(file, 'utf8'), `${two.serialize()}\n`)
  assert.is(modeOf(file), 0o600)
})

test.run()
