// The rules of the house, checked on the house and proved on planted breaches.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { ERRORS } from '../lib/errors.ts'
import { errorsPage, eventsIn, eventsPage, pages } from './support/documents.ts'
import { sideEffectDoors, vendorDoors } from './support/doors.ts'
import {
  fileSizes,
  functionSizes,
  honestSpecs,
  liveTables,
  noMachinePaths,
  openingComments,
  readmes,
  theWalk,
  WALK,
  walkLines,
} from './support/rules.ts'
import { assert, suite } from './support/suite.ts'
import type { Rule } from './support/syntax.ts'
import { readTree, type Source } from './support/tree.ts'

const tree = readTree()
const events = eventsIn(tree.find(({ path }) => path === 'lib/events.ts')!.text)
const tables = liveTables(
  Object.keys(ERRORS),
  events.map(({ name }) => name),
)

const house = suite('the house')

const obeys = (title: string, rule: Rule) =>
  house(title, () => {
    const breaches = rule(tree).map(({ path, line, what }) => `${path}:${line} ${what}`)
    if (breaches.length > 0) fail(breaches.join('\n    '))
  })

/** Fails with the text alone: where a checker stood when it objected helps nobody. */
function fail(text: string): never {
  throw Object.assign(new Error(text), { stack: '' })
}

obeys('opens one door per vendor', vendorDoors)
obeys('opens one door per side effect', sideEffectDoors)
obeys('has honest specs', honestSpecs)
obeys('opens every file with a promise', openingComments)
obeys('keeps files short', fileSizes)
obeys('keeps functions short', functionSizes)
obeys('names every file in the README of its folder', readmes)
obeys('knows nothing of the machine it was written on', noMachinePaths)
obeys('makes every error and tells every event it declares', tables)
obeys('walks through eight rooms', theWalk)

house('tells how long the walk is', () => {
  console.log(`note: the walk: ${walkLines(tree)} lines in ${WALK.length} rooms`)
})

house('has pages that say what the tables declare', () => {
  for (const { path, text } of pages()) {
    const page = tree.find((source) => source.path === path)
    assert.is(page?.text, text, `${path} differs: run \`npx tsx spec/support/documents.ts\``)
  }
})

house('obeys the import rules', () => {
  const { status, stdout, stderr } = cruise(process.cwd())
  if (status !== 0) fail(`${stdout}${stderr}`)
})

house.run()

const planted = suite('a planted breach')

/** Expects the rule to object to `text` at `path`, on the line that holds the mark, if any. */
function red(rule: Rule, path: string, text: string): void {
  const marked = text.split('\n').findIndex((line) => line.includes('<- here')) + 1
  const breaches = rule([{ path, text }])
  assert.ok(breaches.length > 0, `nobody objected to ${path}: ${text}`)
  if (marked > 0) assert.is(breaches[0]?.line, marked)
}

function green(rule: Rule, path: string, text: string): void {
  assert.equal(rule([{ path, text }]), [], `somebody objected to ${path}: ${text}`)
}

const promise = (text: string) => `// A promise.\n${text}`

planted('of a vendor door is seen in every way of importing', () => {
  const ways = [
    "import { Queue } from 'bullmq'",
    "import type { Queue } from 'bullmq'",
    "export { Queue } from 'bullmq'",
    "export * from 'bullmq/dist/esm/index.js'",
    "const { Queue } = await import('bullmq')",
    "let queue: import('bullmq').Queue",
    "const { Queue } = require('bullmq')",
  ]
  for (const way of ways) red(vendorDoors, 'lib/worker.ts', `// A promise.\n${way} // <- here`)
  for (const way of ways) green(vendorDoors, 'lib/queue.ts', promise(way))
})

planted('of a vendor door is seen for every vendor', () => {
  const vendors = ['bullmq', 'ioredis', 'knex', 'pg', 'xstate', '@electric-sql/pglite']
  vendors.push('fastify', 'prom-client', 'pino')
  for (const vendor of vendors) red(vendorDoors, 'plugins/x.ts', `import '${vendor}'`)
  green(vendorDoors, 'lib/redis.ts', "import { Redis } from 'ioredis'")
  green(vendorDoors, 'lib/database.ts', "import knex from 'knex'")
  green(vendorDoors, 'lib/pool.ts', "import pg from 'pg'")
  green(vendorDoors, 'models/steps.ts', "import { setup } from 'xstate'")
  green(vendorDoors, 'plugins/metrics/server.ts', "import { fastify } from 'fastify'")
  green(vendorDoors, 'plugins/metrics/meter.ts', "import { Registry } from 'prom-client'")
  green(vendorDoors, 'lib/embedded.ts', "import { PGlite } from '@electric-sql/pglite'")
  green(vendorDoors, 'lib/worker.ts', "// import 'bullmq'\nconst text = \"import 'bullmq'\"")
})

planted('of the door of time is seen', () => {
  const deeds = [
    'const at = Date.now()',
    'const at = new Date()',
    'const at = Date()',
    'const at = performance.now()',
    'setTimeout(() => {}, 1)',
    'setInterval(() => {}, 1)',
    'setImmediate(() => {})',
    'globalThis.setTimeout(() => {}, 1)',
    'const later = setTimeout',
    'const signal = AbortSignal.timeout(5)',
    "import { setTimeout as nap } from 'node:timers/promises'",
    "import { performance as p } from 'node:perf_hooks'",
  ]
  for (const deed of deeds) red(sideEffectDoors, 'models/x.ts', `//\n${deed} // <- here`)
  for (const deed of deeds) red(sideEffectDoors, 'spec/lib/x.spec.ts', deed)
  for (const deed of deeds) green(sideEffectDoors, 'lib/time.ts', deed)
  for (const deed of deeds) green(sideEffectDoors, 'spec/support/wait.ts', deed)
  green(sideEffectDoors, 'lib/x.ts', 'const at = new Date(time.now()); type T = typeof setTimeout')
  green(sideEffectDoors, 'lib/x.ts', '// Date.now()\nconst text = "Date.now()"; time.setTimeout()')
})

planted('of the door to the street is seen', () => {
  const deeds = [
    'process.env.HOME',
    'process.argv.length',
    'process.stdout.write("")',
    'process.exit(1)',
    'process.exitCode = 1',
    'const { env } = process',
    'console.log(1)',
    'globalThis.process.pid',
    "import { env } from 'node:process'",
  ]
  for (const deed of deeds) red(sideEffectDoors, 'plugins/x.ts', `//\n${deed} // <- here`)
  for (const deed of deeds) green(sideEffectDoors, 'bin/x.ts', deed)
  green(sideEffectDoors, 'lib/x.ts', 'const us = process.pid\nconst doors = { console: 1 }')
})

planted('of the doors of chance and keys is seen', () => {
  red(sideEffectDoors, 'lib/x.ts', 'Math.random()')
  red(sideEffectDoors, 'spec/x.spec.ts', 'Math.random()')
  green(sideEffectDoors, 'lib/backoff.ts', 'Math.random()')
  const imported = "import { randomBytes, randomUUID } from 'node:crypto'"
  red(sideEffectDoors, 'lib/x.ts', `${imported}\nrandomBytes(16) // <- here`)
  red(sideEffectDoors, 'lib/x.ts', `${imported}\nconst id = randomUUID() // <- here`)
  red(sideEffectDoors, 'lib/x.ts', "import crypto from 'node:crypto'\ncrypto.randomBytes(1)")
  red(sideEffectDoors, 'lib/x.ts', 'crypto.randomUUID()')
  red(sideEffectDoors, 'lib/x.ts', "import { randomBytes as r } from 'node:crypto'")
  for (const door of ['keyring', 'fernet', 'envelope', 'id']) {
    green(sideEffectDoors, `lib/${door}.ts`, `${imported}\nrandomBytes(16)`)
  }
})

planted('of honesty is seen in a spec', () => {
  red(honestSpecs, 'spec/x.spec.ts', "test('a', f)\ntest.skip('b', f) // <- here")
  red(honestSpecs, 'spec/x.spec.ts', "test.only('b', f)")
  red(honestSpecs, 'spec/x.spec.ts', 'await sleep(100)')
  red(honestSpecs, 'spec/x.spec.ts', 'await new SystemTime().sleep(100)')
  green(
    honestSpecs,
    'spec/x.spec.ts',
    "const said = 'test.skip()' // sleep(1)\nawait time.sleep(9)",
  )
})

planted('of shape is seen', () => {
  const lines = (count: number) => '// A promise.\n'.repeat(count)
  red(openingComments, 'lib/x.ts', 'export {}')
  red(openingComments, 'bin/x.js', '#!/usr/bin/env node\nexport {}')
  green(openingComments, 'bin/x.js', '#!/usr/bin/env node\n// A promise.')
  green(openingComments, 'models/x.ts', '/** A promise. */')
  red(fileSizes, 'lib/x.ts', lines(301))
  green(fileSizes, 'lib/x.ts', lines(300))
  red(fileSizes, 'spec/x.ts', lines(501))
  green(fileSizes, 'spec/x.ts', lines(500))
  const body = (count: number) => `const f = () => {\n${lines(count - 2)}}`
  red(functionSizes, 'lib/x.ts', body(71))
  green(functionSizes, 'lib/x.ts', body(70))
  red(functionSizes, 'lib/x.ts', `class A {\n  m() {\n${lines(70)}  }\n}`)
})

planted('of the READMEs is seen', () => {
  const floors = ['lib', 'models', 'plugins', 'bin', 'spec', 'docs', 'examples', 'bench']
  const empty: Source[] = floors.map((floor) => ({ path: `${floor}/README.md`, text: '' }))
  const objections = (...more: Source[]) => readmes([...empty, ...more]).map(({ what }) => what)
  const readme = (path: string, text: string) => ({ path: `${path}/README.md`, text })
  assert.equal(objections(), [])
  assert.is(readmes(empty.slice(1))[0]?.path, 'lib/README.md')
  assert.equal(objections({ path: 'lib/lock.ts', text: '' }), ['does not name lock.ts'])
  const named = readme('lib', '`block.ts` - blocks')
  assert.equal(readmes([...empty.slice(1), named, { path: 'lib/lock.ts', text: '' }]).length, 1)
  const inner = [readme('lib', '`locks/`'), readme('lib/locks', ''), ...empty.slice(1)]
  assert.equal(readmes(inner), [])
  assert.is(readmes([...inner.slice(1), readme('lib', '')]).length, 1)
})

planted('of a machine path is seen', () => {
  const at = (...parts: string[]) => ['', ...parts].join('/')
  red(noMachinePaths, 'docs/x.md', `see\n${at('home', 'me', 'x')} <- here`)
  red(noMachinePaths, 'lib/x.ts', `const folder = '${at('root', 'x')}'`)
  red(noMachinePaths, 'docs/x.md', `(${at('work', 'main')})`)
  red(noMachinePaths, 'package-lock.json', `"https://${['registry', 'npmjs', 'org'].join('.')}/x"`)
  green(noMachinePaths, 'docs/x.md', 'https://example.org/home/page, ./work/x, /tmp/x, /usr/lib/x')
})

planted('of the tables is seen', () => {
  const rule = liveTables(['LOST'], ['app.lost'])
  const table = {
    path: 'lib/errors.ts',
    text: "const ERRORS = { 'LOST': 1 }; interface EventTable { 'app.lost': 1 }",
  }
  const comment = { path: 'lib/x.ts', text: "// fault('LOST'), 'app.lost'" }
  assert.is(rule([table, comment]).length, 2)
  assert.equal(rule([{ path: 'lib/x.ts', text: "fault('LOST'); events.emit('app.lost')" }]), [])
  const one = { sentence: 'A|B.', todo: 'Go.', exit: 2 }
  assert.match(errorsPage({ ONE: one }), '| `ONE` | 2 usage | A\\|B.    | Go.        |')
  const declared = "interface EventTable { 'a.b': { x: string\n y: number | null } }"
  assert.match(eventsPage(declared), '| `a.b` | `{ x: string; y: number \\| null }` |')
})

planted('of the walk is seen', () => {
  const rooms = (count: number) => WALK.map((path) => ({ path, text: '\n'.repeat(count) }))
  assert.equal(theWalk(rooms(112)), [])
  assert.is(theWalk(rooms(113)).length, 1)
  assert.is(theWalk(rooms(1).slice(1))[0]?.path, WALK[0])
})

planted('of the import rules is seen', { deadlineMs: 60_000 }, () => {
  const breaches: [rule: string, path: string, text: string][] = [
    ['lib-imports-lib', 'lib/up.ts', "import '../models/b.ts'"],
    ['models-import-down', 'models/up.ts', "import type { B } from '../plugins/b.ts'"],
    ['plugins-import-down', 'plugins/up.ts', "import '../bin/b.ts'"],
    ['plugins-are-strangers', 'plugins/friend.ts', "import '../plugins/b.ts'"],
    ['nobody-imports-spec', 'bin/test.ts', "import '../spec/b.ts'"],
    ['no-cycles', 'lib/turn.ts', "import type { T } from './turned.ts'\nexport type T = 1"],
    ['no-unlisted-packages', 'lib/free.ts', "import 'kleur'"],
    ['no-dev-packages', 'lib/dev.ts', "import type { suite } from 'uvu'"],
    ['no-unresolvable', 'lib/gone.ts', "import './nowhere.ts'"],
    ['no-orphans', 'lib/lonely.ts', 'export const lonely = 1'],
  ]
  const turned = { 'lib/turned.ts': "import type { T } from './turn.ts'\nexport type U = T" }
  const files = Object.fromEntries(breaches.map(([, path, text]) => [path, text]))
  const { status, stdout } = cruise(plant({ ...files, ...turned }))
  assert.is.not(status, 0)
  for (const [rule, path] of breaches) assert.match(stdout, `${rule}: ${path}`)
})

planted('is what the import rules object to, not a clean tree', () => {
  const { status, stdout } = cruise(plant({}))
  assert.is(status, 0, stdout)
})

planted.after(() => {
  for (const folder of gardens) rmSync(folder, { recursive: true, force: true })
})

const gardens: string[] = []

/** A small house of its own with these files in it; what they import exists. */
function plant(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'escapement-house-'))
  gardens.push(root)
  const b = "import type { A } from './a.ts'\nexport type B = A | 1"
  const a = 'export type A = 1'
  const clean = { 'lib/a.ts': a, 'lib/b.ts': b, 'lib/index.ts': "export * from './b.ts'" }
  const others: [string, string][] = ['models', 'plugins', 'bin', 'spec'].map((floor) => [
    `${floor}/b.ts`,
    "export * from '../lib/index.ts'",
  ])
  for (const [path, text] of Object.entries({
    ...clean,
    ...Object.fromEntries(others),
    ...files,
  })) {
    mkdirSync(join(root, dirname(path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  for (const shared of [
    'node_modules',
    'package.json',
    'tsconfig.json',
    '.dependency-cruiser.cjs',
  ]) {
    symlinkSync(resolve(shared), join(root, shared))
  }
  return root
}

/** Runs the import rules on a house; the floors that exist there. */
function cruise(root: string) {
  const binary = resolve('node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
  const floors = ['lib', 'models', 'plugins', 'bin', 'spec']
  const args = [binary, '--config', '.dependency-cruiser.cjs', ...floors]
  return spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
}

planted.run()
