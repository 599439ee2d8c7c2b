// The documentation is true: its code compiles and runs, and what it names exists.
// timeout: 300s
// runs as it is
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import { describeVariables } from '../lib/config.ts'
import { freshSchema } from './support/house.ts'
import { type Block, blocksOf, commandsIn, linksIn, rowsOf, runnable } from './support/pages.ts'

import { assert, suite } from './support/suite.ts'
import { readTree } from './support/tree.ts'

const tree = readTree()
const paths = new Set(tree.map(({ path }) => path))
const pages = tree.filter(({ path }) => /^(README|(docs|examples)\/.*)\.md$/.test(path))
const textOf = (path: string) => pages.find((page) => page.path === path)?.text ?? ''
const blocks = pages.flatMap(({ path, text }) => blocksOf(path, text))

const docs = suite('the documentation')
/** So many blocks failed, and may still hold the database they had. */
let failed = 0

/** A folder inside the repository, so that `escapement`, zod and xstate are found; no part of it. */
mkdirSync('.escapement', { recursive: true })
const folder = resolve(mkdtempSync(join('.escapement', 'docs-')))
docs.after(() => rmSync(folder, { recursive: true, force: true }))

docs('has no link that leads nowhere', () => {
  for (const { path, text } of pages) {
    for (const link of linksIn(text)) {
      const target = join(dirname(path), link.split('#')[0] ?? '')
      assert.ok(link.startsWith('#') || paths.has(target), `${path} links to ${link}`)
    }
  }
})

docs('names only files that exist', () => {
  for (const { path, text } of pages) {
    for (const [, file] of text.matchAll(
      /`((?:lib|models|plugins|bin|spec|examples)\/[\w./-]+)`/g,
    )) {
      assert.ok(existsSync(file as string), `${path} names ${file}`)
    }
  }
})

docs('names only commands that exist', async () => {
  const { buildProgram } = await import('../bin/program.ts')
  const program = buildProgram({} as never, '0')
  for (const { path, text } of pages) {
    for (const command of commandsIn(text)) {
      let at = program
      for (const word of command) {
        const found = at.commands.find((one) => one.name() === word || one.aliases().includes(word))
        if (!found && at.commands.length === 0) break
        assert.ok(found, `${path} names the command ${command.join(' ')}`)
        at = found
      }
    }
  }
})

docs('promises nothing that no spec checks', () => {
  const promises = [...textOf('docs/guarantees.md').matchAll(/^\| (G\d+) .*$/gm)]
  assert.is(
    promises.map(([, name]) => name).join(' '),
    'G1 G2 G3 G4 G5 G6 G7 G8 G9 G10 G11 G12 G13',
  )
  for (const [row, name] of promises) {
    const checks = [...row.matchAll(/`(spec\/[\w/.-]+\.(?:spec|drill)\.ts)`/g)]
    const specs = checks.map(([, file]) => file as string)
    assert.ok(
      specs.some((file) => file.endsWith('.spec.ts')),
      `${name} names no spec of npm test`,
    )
    for (const file of specs) assert.ok(paths.has(file), `${name} names ${file}`)
  }
})

docs('lists every variable of the environment', () => {
  const rows = rowsOf(textOf('docs/configuration.md')).filter(([name]) => name?.startsWith('`'))
  const code = (text: string) => (text === '' ? '' : `\`${text}\``)
  const declared = describeVariables().map(({ name, byDefault, purpose }) => [
    code(name),
    code(byDefault),
    purpose,
  ])
  assert.equal(rows, declared)
})

docs(
  'compiles, and would not with a field that does not exist',
  {
    deadlineMs: 120_000,
  },
  () => {
    const text = textOf('docs/resources.md').replace('resource.rings += 1', 'resource.rungs += 1')
    const [planted] = blocksOf('planted', text).filter((block) => block.text.includes('rungs'))
    const found = problemsOf([...blocks, planted as Block].map(written))
    const isPlanted = (problem: string) => problem.includes(`/${planted?.name}.ts:`)
    assert.equal(
      found.filter((problem) => !isPlanted(problem)),
      [],
    )
    assert.match(found.find(isPlanted) ?? '', `'rungs' does not exist`)
  },
)

docs('would not pass with an assertion that is false', async () => {
  const planted = { name: 'planted-false', text: '1 + 1 // => 3\n', isRun: true }
  const file = join(folder, 'planted-false.run.ts')
  writeFileSync(file, runnable(planted))
  const told = await import(pathToFileURL(file).href).catch((error: Error) => error.message)
  assert.match(told, '1 + 1 // => 3')
})

docs('reads pages as they are meant', () => {
  const page = ['```ts', 'a()', '```', '', '```ts no-run', 'b()', '```', '', '```', 'c', '```', '']
  const found = blocksOf('docs/x.md', page.join('\n')).map(({ name, isRun }) => [name, isRun])
  assert.equal(found, [
    ['docs-x-1', true],
    ['docs-x-2', false],
  ])
  const shell =
    '`escapement keys status -o json` and `Escapement`\nnpx escapement get tasks --app x\n'
  assert.equal(commandsIn(shell), [
    ['keys', 'status'],
    ['get', 'tasks'],
  ])
  assert.equal(linksIn('[a](b.md#c) [d](https://e.f) [g](#h)'), ['b.md#c', '#h'])
  assert.equal(rowsOf('| a | b |\n| - | - |\n| c | d |\n'), [['c', 'd']])
})

for (const block of blocks.filter(({ isRun }) => isRun)) {
  docs(`runs ${block.name}`, { deadlineMs: 60_000 }, async () => {
    const file = join(folder, `${block.name}.run.ts`)
    writeFileSync(file, runnable(block))
    await inEmptyHouse(() => import(pathToFileURL(file).href))
  })
}

docs.run()

/** With the environment a reader has who configured nothing, but for the folders and the beat. */
async function inEmptyHouse(work: () => Promise<unknown>): Promise<void> {
  const data = join(folder, `data-${failed}`)
  const isUsed = existsSync(data)
  const before = { ...process.env }
  delete process.env.DATABASE_URL
  delete process.env.REDIS_URL
  Object.assign(process.env, {
    ESCAPEMENT_DATA: data,
    // The first one makes its database as a reader's does; the others have an empty schema in the same.
    ...(isUsed && { ESCAPEMENT_SCHEMA: freshSchema() }),
    TMPDIR: folder,
    ESCAPEMENT_BEAT_MS: '20',
  })
  try {
    await work()
  } catch (thrown) {
    failed += 1
    throw thrown
  } finally {
    process.env = before
  }
}

/** A block as a file of the program. */
function written(block: Block): string {
  const file = join(folder, `${block.name}.ts`)
  writeFileSync(file, block.text)
  return file
}

function problemsOf(files: readonly string[]): string[] {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, '.')
  // A reader may or may not ask for the word `override`.
  const program = ts.createProgram(files, { ...options, noImplicitOverride: false })
  // Only these are checked; what they import has a check of its own.
  return files
    .flatMap((file) => ts.getPreEmitDiagnostics(program, program.getSourceFile(file)))
    .map(({ file, start, messageText }) => {
      const line = (file?.getLineAndCharacterOfPosition(start ?? 0).line ?? 0) + 1
      return `${file?.fileName}:${line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
    })
}
