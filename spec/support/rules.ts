// The rules of the house, each a function from files to breaches.
// Promise: rules read the syntax tree, so a comment or a string never counts as a deed; each has a
// planted breach in house.spec.ts that turns it red.
import ts from 'typescript'
import { SPEC_TIMERS } from './doors.ts'
import { at, CODE, eachFile, HOUSE, lineOf, nodesOf, parse, type Rule } from './syntax.ts'
import { floorOf, foldersOf, isCode, linesOf } from './tree.ts'

// ---- specs -----------------------------------------------------------------------------------

/** No skipped spec, no lonely spec, no sleeping. */
export const honestSpecs: Rule = eachFile(['spec'], (file, path) =>
  nodesOf(file)
    .filter(ts.isCallExpression)
    .flatMap(({ expression }) => {
      const member = ts.isPropertyAccessExpression(expression) ? expression.name.text : ''
      if (member === 'skip' || member === 'only') {
        return [at(file, expression, `calls .${member}()`)]
      }
      const sleeps =
        (ts.isIdentifier(expression) && /^(sleep|delay|pause)$/.test(expression.text)) ||
        (member === 'sleep' && /SystemTime/.test(expression.getText(file)))
      return sleeps && !SPEC_TIMERS.test(path)
        ? [at(file, expression, 'sleeps: wait for a named condition')]
        : []
    }),
)

// ---- shape -----------------------------------------------------------------------------------

/** Every file of the house and of the bench opens with a comment: its promise. */
export const openingComments: Rule = (sources) =>
  sources
    .filter(
      ({ path }) =>
        [...HOUSE, 'bench'].includes(floorOf(path)) && /\.([cm]?[jt]sx?|sql|lua|css)$/.test(path),
    )
    .filter(({ text }) => !/^(#!.*\n)?\s*(\/\/|\/\*|--)/.test(text))
    .map(({ path }) => ({ path, line: 1, what: 'does not open with a comment' }))

const FILE_LINES = 300
const SPEC_LINES = 500
const FUNCTION_LINES = 70

/** A file fits in a head. */
export const fileSizes: Rule = (sources) =>
  sources
    .filter((source) => isCode(source) && CODE.includes(floorOf(source.path)))
    .map(({ path, text }) => ({ path, lines: linesOf(text) }))
    .map((one) => ({ ...one, limit: one.path.startsWith('spec/') ? SPEC_LINES : FILE_LINES }))
    .filter(({ lines, limit }) => lines > limit)
    .map(({ path, lines, limit }) => ({
      path,
      line: limit,
      what: `has ${lines} lines; ${limit} is the end`,
    }))

/** A function fits on a screen. An exam is a list of tests, so it is measured as a file only. */
export const functionSizes: Rule = eachFile(CODE, (file) =>
  (file.fileName.includes('spec/exams/') ? [] : nodesOf(file))
    .filter(ts.isFunctionLike)
    .map((node) => ({
      node,
      lines: lineOf(file, node.getEnd()) - lineOf(file, node.getStart()) + 1,
    }))
    .filter(({ lines }) => lines > FUNCTION_LINES)
    .map(({ node, lines }) =>
      at(file, node, `a function of ${lines} lines; ${FUNCTION_LINES} is the end`),
    ),
)

/** Every folder has a README that names each file and folder in it. */
export const readmes: Rule = (sources) => {
  const floors = [...HOUSE, 'spec', 'docs', 'examples', 'bench']
  const ours = sources.filter(({ path }) => path.includes('/') && floors.includes(floorOf(path)))
  const textOf = new Map(ours.map(({ path, text }) => [path, text]))
  const folders = foldersOf(ours.map(({ path }) => path))
  for (const floor of floors) if (!folders.has(floor)) folders.set(floor, new Set())
  return [...folders].flatMap(([folder, names]) => {
    const path = `${folder}/README.md`
    const text = textOf.get(path)
    if (text === undefined) return [{ path, line: 1, what: 'is missing' }]
    return [...names]
      .filter((name) => name !== 'README.md' && !namesIt(text, name))
      .map((name) => ({ path, line: 1, what: `does not name ${name}` }))
  })
}

// A name inside a longer one does not count: `lock.ts` is not named by `block.ts`.
const namesIt = (text: string, name: string) =>
  new RegExp(`(?<![\\w-])${name.replace(/[.*+?^$()[\]{}|\\]/g, '\\$&')}`).test(text)

/** Nothing in the repository knows the machine it was written on. */
export const noMachinePaths: Rule = (sources) =>
  sources.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const found = MACHINE_PATH.exec(line) ?? REGISTRY_HOST.exec(line)
      return found ? [{ path, line: index + 1, what: `names ${found[0]}` }] : []
    }),
  )

const MACHINE_PATH = /(?<![\w.~-])(?:\/(?:work|home|root|Users|mnt)\/[\w.]+|[A-Z]:\\Users\\\w+)/
const REGISTRY_HOST =
  /\b(?:registry\.(?:npmjs|yarnpkg|npmmirror)\.\w+|npm\.pkg\.github\.com)|_auth[T]oken/

// ---- tables ----------------------------------------------------------------------------------

/** Every error of the table is made somewhere, every event is told somewhere: no dead entries. */
export const liveTables =
  (codes: readonly string[], events: readonly string[]): Rule =>
  (sources) => {
    const said = wordsOf(sources)
    const dead = (path: string, names: readonly string[], deed: string) =>
      names
        .filter((name) => !said.has(name))
        .map((name) => ({ path, line: 1, what: `declares ${name}, which nothing ${deed}` }))
    return [...dead('lib/errors.ts', codes, 'makes'), ...dead('lib/events.ts', events, 'tells')]
  }

/** Every string the house's code says; names of properties are declarations, not words. */
const wordsOf = (sources: Parameters<Rule>[0]): Set<string> =>
  new Set(
    sources
      .filter((source) => isCode(source) && HOUSE.includes(floorOf(source.path)))
      .flatMap(({ path, text }) => nodesOf(parse(path, text)))
      .filter(ts.isStringLiteralLike)
      .filter((node) => !('name' in node.parent && node.parent.name === node))
      .map(({ text }) => text),
  )

// ---- the walk --------------------------------------------------------------------------------

/** The eight rooms a tick meets, in walking order. */
export const WALK = [
  'lib/clock.ts',
  'lib/queue.ts',
  'lib/worker.ts',
  'lib/lock.ts',
  'models/resource.ts',
  'models/task.ts',
  'lib/machine.ts',
  'lib/store.ts',
] as const

const WALK_LINES = 900

/** How many lines the walk has. */
export const walkLines = (sources: Parameters<Rule>[0]): number =>
  sources
    .filter(({ path }) => (WALK as readonly string[]).includes(path))
    .reduce((sum, { text }) => sum + linesOf(text), 0)

/** The walk is these eight rooms, and short enough to be read in one sitting. */
export const theWalk: Rule = (sources) => {
  const paths = new Set(sources.map(({ path }) => path))
  const missing = WALK.filter((room) => !paths.has(room))
  const total = walkLines(sources)
  const breaches = missing.map((path) => ({
    path,
    line: 1,
    what: 'is a room of the walk, and missing',
  }))
  if (total <= WALK_LINES) return breaches
  const what = `the walk has ${total} lines; ${WALK_LINES} is the end`
  return [...breaches, { path: WALK[0], line: 1, what }]
}
