// The folder lock: who may have a data folder, and what a dead holder leaves behind.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isFault } from '../../lib/errors.ts'
import { lockFolder } from '../../lib/folder.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

const test = suite('folder')
let folder = ''
const children: ChildProcess[] = []

test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'escapement-folder-'))
})

test.after.each(async () => {
  for (const child of children.splice(0)) await end(child)
  rmSync(folder, { recursive: true })
})

test('a folder in use names its holder, and is free again after release', () => {
  const lock = lockFolder(folder)
  assert.is(refusalOf(folder), `${folder} ${process.pid}`)
  lock.release()
  assert.equal(readdirSync(folder), [])
  lockFolder(folder).release()
})

test('releasing twice does not release the next holder', () => {
  const first = lockFolder(folder)
  first.release()
  writeFileSync(join(folder, 'lock'), '{"pid":1,"birth":null}')
  first.release()
  assert.equal(readdirSync(folder), ['lock'])
})

test('a dead holder is taken over', async () => {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  await once(child, 'exit')
  writeFileSync(join(folder, 'lock'), JSON.stringify({ pid: child.pid, birth: null }))
  const lock = lockFolder(folder)
  assert.is(JSON.parse(readFileSync(join(folder, 'lock'), 'utf8')).pid, process.pid)
  assert.equal(readdirSync(folder), ['lock'])
  lock.release()
})

test('a number that was given to another process is not mistaken for the holder', () => {
  const told = lockFolder(folder)
  const { birth } = JSON.parse(readFileSync(join(folder, 'lock'), 'utf8'))
  told.release()
  // Only where the system tells when a process was born can the two be told apart.
  const another = JSON.stringify({ pid: process.pid, birth: birth && '1' })
  writeFileSync(join(folder, 'lock'), another)
  if (birth === null) assert.is(refusalOf(folder), `${folder} ${process.pid}`)
  else lockFolder(folder).release()
})

test('a living process of another user still holds its folder', () => {
  writeFileSync(join(folder, 'lock'), JSON.stringify({ pid: 1, birth: null }))
  assert.is(refusalOf(folder), `${folder} 1`)
})

for (const rubbish of ['', '{"pid":', '[]', 'null', '{"pid":"1"}', '{"pid":-1}']) {
  test(`a file that says ${rubbish || 'nothing'} holds nothing`, () => {
    writeFileSync(join(folder, 'lock'), rubbish)
    lockFolder(folder).release()
  })
}

test('of many who start at once on a stale lock, exactly one wins', async () => {
  for (let round = 0; round < 2; round++) {
    writeFileSync(join(folder, 'lock'), '{"pid":999999999,"birth":null}')
    const contenders = await Promise.all([1, 2, 3].map(() => contender(folder)))
    const said = await Promise.all(contenders.map((one) => one.go()))
    assert.is(said.filter((word) => word === 'mine').length, 1, said.join())
    for (const child of children.splice(0)) await end(child)
  }
})

test('a killed holder is taken over', async () => {
  const one = await contender(folder)
  assert.is(await one.go(), 'mine')
  assert.is(refusalOf(folder), `${folder} ${children[0]!.pid}`)
  await end(children[0]!)
  lockFolder(folder).release()
})

/** Whom the refusal names, as "folder pid"; empty when there is none. */
function refusalOf(folder: string): string {
  try {
    lockFolder(folder).release()
    return ''
  } catch (error) {
    if (!isFault(error, 'DATA_FOLDER_IN_USE')) throw error
    return /folder (\S+) is in use by process (\d+)/.exec(error.message)?.slice(1).join(' ') ?? ''
  }
}

/** Another process that wants the folder when told to go, says what it got, and stays alive. */
async function contender(folder: string): Promise<{ go(): Promise<string> }> {
  const program = `
    import { lockFolder } from './lib/folder.ts'
    process.stdin.once('data', () => {
      let said = 'mine'
      try { lockFolder(process.argv[1]) } catch (error) { said = error.code }
      console.log(said)
    })
    console.log('ready')`
  const args = ['--import', 'tsx', '--input-type=module', '-e', program, folder]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  let said = ''
  child.stdout.on('data', (chunk) => {
    said += chunk
  })
  await until(() => said.includes('ready\n'), { what: 'the contender was ready' })
  const go = async () => {
    child.stdin.write('go')
    await until(() => /ready\n.+\n/.test(said), { what: 'the contender spoke' })
    return said.split('\n')[1]!
  }
  return { go }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

test.run()
