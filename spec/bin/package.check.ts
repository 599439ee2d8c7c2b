// The package as a user installs it: packed, unpacked beside its dependencies, and run on apps of theirs.
// timeout: 240s
import { execFile } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { assert, suite } from '../support/suite.ts'
import { escapement, Place } from './shell.ts'

const LONG = { deadlineMs: 120_000 }
const run = promisify(execFile)
const test = suite('the package')
const place = new Place()
const project = join(place.folder, 'project')
const program = join(project, 'node_modules/escapement/bin/escapement.js')

test.before(async () => {
  const pack = join(place.folder, 'pack')
  await built(pack)
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--offline'], {
    cwd: pack,
  })
  const [{ filename }] = JSON.parse(stdout)
  const modules = join(project, 'node_modules')
  const home = join(modules, 'escapement')
  mkdirSync(home, { recursive: true })
  await run('tar', ['-xzf', join(pack, filename), '-C', home, '--strip-components=1'])
  linkDependencies(modules)
})
test.after(() => place.remove())

/** What is packed, built where nobody else looks. */
async function built(pack: string): Promise<void> {
  for (const name of ['package.json', 'README.md', 'LICENSE', 'docs', 'bin']) {
    cpSync(name, join(pack, name), { recursive: true })
  }
  const tsc = resolve('node_modules/typescript/bin/tsc')
  await run(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', join(pack, 'dist')])
}

/** Only what the package says it needs, and what its users bring. */
function linkDependencies(modules: string): void {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(resolve('node_modules', name), join(modules, name))
  }
}

test('holds programs that run, and no source', () => {
  const home = join(project, 'node_modules/escapement')
  const bin = readdirSync(join(home, 'bin'))
  assert.equal(
    bin.filter((name) => !name.endsWith('.js') && name !== 'README.md'),
    [],
  )
  const { bin: named } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
  for (const path of Object.values<string>(named)) assert.ok(existsSync(join(home, path)))
})

for (const type of ['module', 'commonjs', undefined]) {
  test(`runs apps in TypeScript and JavaScript where "type" is ${type}`, LONG, async () => {
    const folder = join(project, `as-${type}`)
    mkdirSync(folder)
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ type, escapement: { app: 'app.ts' } }),
    )
    cpSync('spec/bin/fixtures/shop.ts', join(folder, 'app.ts'))
    const env = { ESCAPEMENT_BEAT_MS: '50' }
    const around = { program, folder, env }
    const dev = await escapement(['dev', '--until-idle'], around)
    assert.is(dev.code, 0, dev.err)
    assert.match(dev.out, 'done in 3 steps')
    writeFileSync(join(folder, 'app.js'), JAVASCRIPT)
    const listed = await escapement(['get', 'Server', '--app', 'app.js', '-o', 'json'], around)
    assert.is(listed.code, 0, listed.err)
    assert.is(JSON.parse(listed.out).length, 1)
  })
}

test('runs an app in CommonJS', LONG, async () => {
  writeFileSync(join(project, 'app.cjs'), COMMONJS)
  const words = ['create', 'Server', '--app', 'app.cjs', '-o', 'json']
  const { code, out, err } = await escapement(words, { program, folder: project })
  assert.is(code, 0, err)
  assert.is(JSON.parse(out).kind, 'Server')
})

test.run()

const JAVASCRIPT = `import { defineApp, Resource } from 'escapement'
class Server extends Resource {}
export default defineApp({ resources: [Server] })
`
const COMMONJS = `const { defineApp, Resource } = require('escapement')
class Server extends Resource {}
module.exports = defineApp({ resources: [Server] })
`
