// timeout: 240s
// Retention when things go wrong: deaths between archive and removal, folders that cannot be written, rules that are none.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Database, Runner } from '../../lib/database.ts'
import { EscapementError } from '../../lib/errors.ts'
import { Registry } from '../../models/registry.ts'
import { type RetentionOptions, retention } from '../../plugins/retention.ts'
import { Attic, Box, Server, Small, upTo } from '../support/retention.ts'
import { settings } from '../support/services.ts'
import { codeOf } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('retention under faults')
const attic = new Attic()
const archive = attic.folder
const all = (after: string, folder: string | null = archive) => ({
  rules: { '*': { after, archive: folder } },
})
const setting = settings().includes('postgres') ? 'postgres' : 'embedded'

test.before(() => attic.open(setting))
test.before.each(() => attic.empty())
test.after(() => attic.close())

/** The database of the house, whose transactions die before a statement for the n-th time that matches. */
function dying(match: RegExp, nth = 1): Database {
  const { database } = attic.house.app.rooms
  let left = nth
  const wrapped = (runner: Runner): Runner => ({
    query: async (text, params) => {
      if (match.test(text)) left -= 1
      if (left === 0) throw new Error('the process died')
      return runner.query(text, params)
    },
  })
  return {
    query: (text: string, params?: readonly unknown[]) => database.query(text, params),
    transaction: (work: (runner: Runner) => Promise<unknown>) =>
      database.transaction((runner) => work(wrapped(runner))),
  } as unknown as Database
}

test('a death between the archive and the removal loses nothing, and doubles nothing once it is made good', async () => {
  const { taskId } = await attic.walked(9)
  const options = { ...all('36h'), chunk: 3 }
  for (const match of [/^DELETE FROM transitions/, /UPDATE retention_marks/]) {
    for (const nth of [1, 2]) {
      const before = await attic.steps(taskId)
      const keeper = attic.keeper(options, dying(match, nth))
      await keeper.run().catch(({ message }) => assert.match(message, 'died'))
      const stored = new Set([
        ...(await attic.archivedSteps(taskId)),
        ...(await attic.steps(taskId)),
      ])
      assert.equal(
        [...stored].sort((a, b) => a - b),
        upTo(10),
      )
      assert.ok((await attic.steps(taskId)).length <= before.length)
    }
  }
  await attic.keeper(options).run()
  const kept = await attic.steps(taskId)
  assert.equal([...(await attic.archivedSteps(taskId)), ...kept], upTo(10))
  assert.ok(kept.length < 5)
})

test('a file of another chunk is never replaced', async () => {
  const { taskId } = await attic.walked(9)
  await attic
    .keeper(all('36h'), dying(/UPDATE retention_marks/))
    .run()
    .catch(() => {})
  const file = attic.files().find((one) => one.includes(`${taskId}.0.`))!
  const broken = Buffer.concat([readFileSync(file).subarray(0, 40), Buffer.from('not whole')])
  writeFileSync(file, broken)
  await attic.keeper(all('36h')).run()
  assert.equal(readFileSync(file), broken)
  rmSync(file)
  assert.is((await attic.archivedSteps(taskId)).length, 8)
  assert.is(attic.files().filter((one) => one.includes(`${taskId}.0.2.ndjson.gz`)).length, 1)
})

test('what cannot be archived is not removed, and the folder is named', async () => {
  const { taskId } = await attic.walked(4)
  const file = join(archive, 'file')
  writeFileSync(file, '')
  const error = await attic
    .keeper(all('1d', join(file, 'in')))
    .run()
    .catch((thrown) => thrown)
  assert.is(error.code, 'ARCHIVE_UNWRITABLE')
  assert.match(
    error.message,
    `The archive ${join(file, 'in')} cannot be written: ENOTDIR; nothing of`,
  )
  assert.equal(await attic.steps(taskId), upTo(5))
})

test('a round that fails is told, and the next one goes on', async () => {
  await attic.walked(4)
  const failed: string[] = []
  const undo = attic.house.app.events.on('plugin.failed', ({ plugin, error }) => {
    failed.push(`${plugin}: ${(error as EscapementError).code}`)
  })
  const file = join(archive, 'file')
  writeFileSync(file, '')
  const { premisesOf } = await import('../support/premises.ts')
  const { until } = await import('../support/wait.ts')
  const premises = premisesOf(attic.house.app, attic.time)
  const duty = retention({ ...all('1d', file), every: '1h' }).duty?.(premises, 'clock')
  await until(() => failed.length === 1, { what: 'a round failed' })
  await attic.time.advance(3_600_000)
  await until(() => failed.length === 2, { what: 'the next one was tried' })
  await duty?.stop()
  undo()
  assert.equal(failed, ['retention: ARCHIVE_UNWRITABLE', 'retention: ARCHIVE_UNWRITABLE'])
})

const rule = { after: '90d', archive: null }
const REFUSED: [says: string, options: unknown][] = [
  ['rules: is empty', { rules: {} }],
  ['rules: is no object of rules', {}],
  [
    "rules.Server.after: is no duration such as '90d'",
    { rules: { Server: { ...rule, after: '-1d' } } },
  ],
  [
    "rules.Server.after: is no duration such as '90d'",
    { rules: { Server: { ...rule, after: 'soon' } } },
  ],
  ['rules.Server.after: is shorter than an hour', { rules: { Server: { ...rule, after: '59m' } } }],
  ['rules.*.archive: is neither a folder nor null', { rules: { '*': { after: '1d' } } }],
  [
    'rules.*.archive: is neither a folder nor null',
    { rules: { '*': { after: '1d', archive: '' } } },
  ],
  ["rules.*: is neither 'keep' nor { after, archive }", { rules: { '*': 'drop' } }],
  ['rules.*: Unrecognized key: "afer"', { rules: { '*': { ...rule, afer: 1 } } }],
  ['chunk: is no whole number from 1 to 10000', { rules: { '*': rule }, chunk: 0 }],
  ['every: is shorter than a second', { rules: { '*': rule }, every: 5 }],
  ["pause: is no duration such as '90d'", { rules: { '*': rule }, pause: -1 }],
]

test('rules that are none are refused with one sentence', () => {
  for (const [says, options] of REFUSED) {
    try {
      retention(options as RetentionOptions)
      assert.unreachable(says)
    } catch (thrown) {
      assert.instance(thrown, EscapementError)
      assert.is((thrown as Error).message, `The retention of this app is not valid: ${says}.`)
    }
  }
})

test('a rule for a kind the app does not have is refused when that opens', async () => {
  const registry = new Registry([Server, Box])
  const check = (rules: RetentionOptions['rules']) => {
    try {
      retention({ rules }).check?.(registry)
      return 'it was taken'
    } catch (thrown) {
      return (thrown as Error).message
    }
  }
  const said =
    'The retention of this app is not valid: rules.Servre: this app has no such kind; it has Server, Box.'
  assert.is(check({ Servre: 'keep' }), said)
  assert.is(check({ Server: 'keep', '*': rule }), 'it was taken')
  const { App } = await import('../../models/app.ts')
  const { config } = attic.house.app.rooms
  const plugins = [retention({ rules: { Small: 'keep' } })]
  assert.is(await codeOf(App.open({ resources: [Server], plugins, config })), 'RETENTION_INVALID')
  assert.ok(Small)
})

test.run()
