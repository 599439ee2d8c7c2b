// docs/cli.md says what the command line can do, no more and no less.
import { readFileSync } from 'node:fs'
import { buildProgram } from '../../bin/program.ts'
import { EXIT } from '../../lib/errors.ts'
import { assert, suite } from '../support/suite.ts'
import { manual, PAGE, withManual } from './manual.ts'

const test = suite('the page of the command line')
const page = readFileSync(PAGE, 'utf8')
const program = () => buildProgram({} as never, '0')

test('lists every command and every option, and none that is gone', () => {
  assert.is(page, withManual(page), 'run `npx tsx spec/bin/manual.ts`')
})

test('would differ by a command, an option, an argument or a word', () => {
  const before = manual(program())
  const changes = [
    () => program().addCommand(program().createCommand('plant')),
    () => changed((get) => get.option('--plant', 'grows')),
    () => changed((get) => get.argument('[plant]')),
    () => changed((get) => get.description('plants')),
  ]
  for (const change of changes) assert.is.not(manual(change()), before)
  assert.is(manual(program()), before)
})

test('has prose that names no option the commands do not have', () => {
  const [prose = ''] = page.split('## Reference')
  const known = new Set(
    manual(program())
      .match(/--[a-z][a-z-]*/g)
      ?.map(String),
  )
  const named = prose.match(/(?<![\w-])--[a-z][a-z-]+/g) ?? []
  assert.ok(named.length > 5)
  for (const option of named) assert.ok(known.has(option), `the page names ${option}`)
})

test('says what each exit status means', () => {
  const rows = [...page.matchAll(/^\| (\d+) +\|/gm)].map(([, status]) => Number(status))
  assert.equal(rows, Object.values(EXIT))
})

test.run()

function changed(change: (get: ReturnType<typeof program>) => unknown) {
  const tree = program()
  change(tree.commands.find((command) => command.name() === 'get')!)
  return tree
}
