// The walk through docs/alarms.md: a cloud that goes down and comes back, executed as it stands on the page.
// timeout: 120s
// runs as it is
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { runnable } from '../support/pages.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('the walk')
const PAGE = 'docs/alarms.md'
/** Assertions of the page; fewer would mean that it is not executed. */
const LEAST = 15

mkdirSync('.escapement', { recursive: true })
const folder = resolve(mkdtempSync(join('.escapement', 'walk-')))
test.after(() => rmSync(folder, { recursive: true, force: true }))

test('is what happens', { deadlineMs: 100_000 }, async () => {
  const blocks = [...readFileSync(PAGE, 'utf8').matchAll(/^```ts walk\n([\s\S]*?)^```$/gm)]
  const text = runnable({
    name: 'walk',
    isRun: true,
    text: blocks.map(([, code]) => code).join('\n'),
  })
  assert.ok(text.split('__assert.deepStrictEqual').length > LEAST)
  const file = join(folder, 'walk.ts')
  writeFileSync(file, text)
  await import(pathToFileURL(file).href)
})

test.run()
