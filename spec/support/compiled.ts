// The house and its specs as JavaScript, made once and kept by what was in the sources.
// Promise: outside the repository, laid out like the installed package, and never half made: a folder
// has its name only when everything is in it. A change of any source, or of the compiler, makes another.
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { SystemTime } from '../../lib/time.ts'

/**
 * For processes that end soon: the database in WebAssembly is compiled once and not optimized, and JavaScript only where
 * it has run five times as long as usual. By default half of the processor's time goes into that.
 */
export const BRIEF = ['--liftoff-only', '--interrupt-budget=300000'] as const
const FLOORS = ['lib', 'models', 'plugins', 'bin', 'spec', 'examples', 'bench']
/** How long a tree nobody asked for is kept. */
const KEPT_MS = 24 * 60 * 60 * 1_000
const time = new SystemTime()
let asked: Promise<string> | undefined

/** The tree of this run, named by the runner, so that it is looked for once. */
const given = () => process.env.SPEC_COMPILED

/**
 * Makes the tree, or finds it made.
 * @returns its folder
 */
export async function compiled(): Promise<string> {
  const sources = FLOORS.flatMap(filesIn)
  const home = keptFolder()
  const tree = join(home, digest([...sources, 'package.json', 'package-lock.json']))
  if (lstatSync(tree, { throwIfNoEntry: false })) {
    touch(tree)
    return tree
  }
  const making = mkdtempSync(join(home, 'making-'))
  try {
    await make(making, sources)
    renameSync(making, tree)
  } catch (error) {
    if (!lstatSync(tree, { throwIfNoEntry: false })) throw error // else another was faster
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
  return tree
}

/** Where a source of the repository is as JavaScript. */
export async function asCompiled(path: string): Promise<string> {
  if (!given()) asked ??= compiled()
  const tree = given() ?? String(await asked)
  return join(tree, path.endsWith('.ts') ? `dist/${path.replace(/\.ts$/, '.js')}` : path)
}

/** The source a running file was made of, from the current folder. */
export function sourceOf(path: string): string {
  const tree = given()
  const home = tree && path.startsWith(tree + sep) ? join(tree, 'dist') : process.cwd()
  return relative(home, path).replace(/\.js$/, home === process.cwd() ? '.js' : '.ts')
}

function filesIn(floor: string): string[] {
  if (!lstatSync(floor, { throwIfNoEntry: false })) return []
  return (
    readdirSync(floor, { recursive: true, encoding: 'utf8' })
      .map((path) => join(floor, path))
      // The bench keeps the peers beside itself.
      .filter((path) => /\.[jt]s$/.test(path) && !path.split(sep).includes('node_modules'))
      .sort()
  )
}

/** One name for all that goes in; the current folder too, for the tree leads to its packages. */
function digest(paths: readonly string[]): string {
  const hash = createHash('sha256').update(`${process.version} ${process.cwd()}\n`)
  for (const path of paths) {
    const text = readFileSync(path)
    hash.update(`${path} ${text.length}\n`).update(text)
  }
  return hash.digest('hex').slice(0, 24)
}

async function make(folder: string, sources: readonly string[]): Promise<void> {
  const { build } = await import('esbuild') // most processes find the tree made
  await build({
    entryPoints: sources.filter((path) => path.endsWith('.ts')),
    outdir: join(folder, 'dist'),
    outbase: '.',
    ...{ format: 'esm', platform: 'node', target: 'node20', keepNames: true },
    ...{ sourcemap: 'linked', sourcesContent: false, logLevel: 'warning' },
    // Nothing is bundled: each file stays one, and what it imports gets the name it has now.
    bundle: true,
    plugins: [{ name: 'apart', setup: (made) => made.onResolve({ filter: /./ }, apart) }],
  })
  for (const path of sources.filter((path) => path.endsWith('.js'))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    copyFileSync(path, join(folder, path))
  }
  copyFileSync('package.json', join(folder, 'package.json'))
  symlinkSync(realpathSync(resolve('node_modules')), join(folder, 'node_modules'))
}

function apart({ kind, path }: { kind: string; path: string }) {
  if (kind === 'entry-point') return undefined
  return { path: /^\.\.?\//.test(path) ? path.replace(/\.ts$/, '.js') : path, external: true }
}

/** Says that something kept is in use. */
export function touch(path: string): void {
  const nowSeconds = time.now() / 1_000
  utimesSync(path, nowSeconds, nowSeconds)
}

/** The folder of all that is kept from run to run: ours alone, for code is run from it. */
export function keptFolder(): string {
  const user = process.getuid?.() ?? 0
  const home = join(realpathSync(tmpdir()), `escapement-compiled-${user}`)
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const { uid, mode } = lstatSync(home)
  if (uid !== user || (mode & 0o022) !== 0) throw new Error(`${home} is not ours alone: remove it.`)
  for (const path of readdirSync(home).map((name) => join(home, name))) {
    const usedAt = lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity
    if (usedAt < time.now() - KEPT_MS) rmSync(path, { recursive: true, force: true })
  }
  return home
}
