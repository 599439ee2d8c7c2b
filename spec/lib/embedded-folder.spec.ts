// The end of the embedded database, wanted or not, and what its folder keeps over it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { openEmbedded } from '../../lib/embedded.ts'
import { isFault } from '../../lib/errors.ts'
import { Clients, codeOf, errorOf } from '../support/clients.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

const test = suite('embedded-folder')
const clients = new Clients()
const parent = mkdtempSync(join(tmpdir(), 'escapement-embedded-'))
const folder = join(parent, 'made', 'here')

// The first time takes two seconds.
test.before(() => inFolder((client) => client.query('SELECT 1')))

test.after.each(() => clients.close())
test.after(() => rmSync(parent, { recursive: true }))

const DEADLY = {
  'a nesting too deep': `SELECT repeat('[', 1000000)::json`,
  'a timeout that ends the session': 'SET LOCAL idle_in_transaction_session_timeout = 1',
}

for (const [what, sql] of Object.entries(DEADLY)) {
  test(`${what} stops the database; everybody is told, and nothing hangs`, async () => {
    await inFolder((client) => client.query('CREATE TABLE IF NOT EXISTS before (n int)'))
    const child = started(`
      const [one, other] = [await client(), await client()]
      const told = []
      const note = ({ code, message }) => told.push(code + ' ' + message)
      await one.query('BEGIN')
      other.query('SELECT 1').catch(note)
      await one.query(${JSON.stringify(sql)}).catch(note)
      while (told.length < 2) {
        await new Promise((resolve) => setTimeout(resolve, 20))
        if (told.length === 0) await one.query('SELECT 1').catch(note)
      }
      await client().then((late) => late.query('SELECT 1')).catch(note)
      await own.close()
      console.log(JSON.stringify(told))`)
    await until(() => child.said.includes('\n'), { what: 'the child told what it heard' })
    child.process.kill('SIGKILL')
    await once(child.process, 'close')
    const told: string[] = JSON.parse(child.said)
    assert.is(told.length, 3)
    for (const line of told) assert.match(line, '57P01 The embedded database stopped: ')
    await inFolder((client) => client.query('SELECT * FROM before'))
  })
}

test('closing dismisses the clients and rolls back what they left open', async () => {
  const own = await openEmbedded({ folder })
  const [holder, waiter] = [await clients.client(own), await clients.client(own)]
  await holder.query('CREATE TABLE IF NOT EXISTS open (n int)')
  await holder.query('BEGIN; INSERT INTO open VALUES (1)')
  const waiting = errorOf(waiter.query('SELECT 1'))
  await Promise.all([own.close(), own.close()])
  assert.is((await waiting).code, '57P01')
  assert.is(await codeOf(clients.client(own)), '57P01')
  await inFolder(async (client) => {
    assert.is((await client.query('SELECT * FROM open')).rowCount, 0)
  })
})

test('a dump is a beginning for others', async () => {
  const own = await openEmbedded({ folder })
  const writer = await clients.client(own)
  await writer.query('CREATE TABLE dumped AS SELECT 1 AS n')
  const copy = await openEmbedded({ folder: null, from: await own.dump() })
  const reader = await clients.client(copy)
  await reader.query('INSERT INTO dumped VALUES (2)')
  assert.is((await reader.query('SELECT * FROM dumped')).rowCount, 2)
  assert.is((await writer.query('SELECT * FROM dumped')).rowCount, 1)
  await clients.close()
  await Promise.all([own.close(), copy.close()])
})

test('a folder keeps its rows over a restart, and is ours alone', async () => {
  await inFolder((client) => client.query('CREATE TABLE stays AS SELECT 1 AS n'))
  assert.is(statSync(folder).mode & 0o777, 0o700)
  assert.not(existsSync(join(folder, 'lock')))
  await inFolder(async (client) => {
    assert.is((await client.query('SELECT * FROM stays')).rowCount, 1)
  })
})

test('a second process is refused, and a killed one leaves all it had committed', async () => {
  await inFolder((client) => client.query('CREATE TABLE kept (n int)'))
  const child = started(`
    const writer = await client()
    for (let n = 1; ; n++) {
      await writer.query('INSERT INTO kept VALUES ($1)', [n])
      console.log(n)
    }`)
  await until(() => child.said.includes('\n10\n'), { what: 'the child had written ten rows' })
  const refusal = await openEmbedded({ folder }).catch((error) => error)
  assert.ok(isFault(refusal, 'DATA_FOLDER_IN_USE'))
  assert.match(refusal.message, `in use by process ${child.process.pid}`)
  child.process.kill('SIGKILL')
  await once(child.process, 'close')
  const told = child.said.split('\n').length - 1
  await inFolder(async (client) => {
    const kept = (await client.query('SELECT n FROM kept')).rowCount ?? 0
    assert.ok(kept === told || kept === told + 1, `${kept} rows kept, ${told} told`)
  })
})

test('a database whose making was cut short is made anew', async () => {
  const cut = join(parent, 'cut')
  mkdirSync(join(cut, 'data', 'base'), { recursive: true })
  writeFileSync(join(cut, 'data', 'PG_VERSION'), '18')
  writeFileSync(join(cut, 'unfinished'), '')
  await inFolder((client) => client.query('SELECT 1'), cut)
  assert.not(existsSync(join(cut, 'unfinished')))
})

test('a folder that cannot be opened is given back', async () => {
  const broken = join(parent, 'broken')
  mkdirSync(join(broken, 'data'), { recursive: true })
  writeFileSync(join(broken, 'data', 'PG_VERSION'), '9')
  assert.ok((await openEmbedded({ folder: broken }).catch((error) => error)) instanceof Error)
  assert.not(existsSync(join(broken, 'lock')))
})

/** Works with the database of a folder, and closes it. */
async function inFolder(work: (client: pg.Client) => Promise<unknown>, at = folder): Promise<void> {
  const own = await openEmbedded({ folder: at })
  try {
    const client = await clients.client(own)
    await work(client)
    await client.end()
  } finally {
    await own.close()
  }
}

/** Another process that has the folder, and what it said so far. */
function started(work: string): { readonly process: ChildProcess; readonly said: string } {
  const program = `
    import pg from 'pg'
    import { openEmbedded } from './lib/embedded.ts'
    const own = await openEmbedded({ folder: process.argv[1] })
    const client = async () => {
      const one = new pg.Client({ stream: () => own.stream(), user: 'postgres' })
      one.on('error', () => {})
      await one.connect()
      return one
    }
    ${work}`
  const args = ['--import', 'tsx', '--input-type=module', '-e', program, folder]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  clients.closing(async () => child.kill('SIGKILL'))
  const started = { process: child, said: '' }
  child.stdout.on('data', (chunk) => {
    started.said += chunk
  })
  return started
}

test.run()
