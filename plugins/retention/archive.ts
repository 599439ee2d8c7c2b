// The archive: lines of JSON in compressed files, one a kind and a chunk, in a folder a kind and day.
// Promise: a file is whole and on the disk under its name before `keep` ends; a chunk that is written again has its
// name again, and no file is replaced by one that lacks a line of it.
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { fault } from '../../lib/errors.ts'
import { newToken } from '../../lib/id.ts'

/** A row on its way out. */
export interface Line {
  readonly table: string
  readonly kind: string | null
  /** What identifies the row in its table. */
  readonly id: string
  /** Of a transition, with its task as `id`. */
  readonly step: number | null
  /** Milliseconds since 1970. */
  readonly at: number
  /** The row as JSON, as PostgreSQL writes it; null where nobody wants it. */
  readonly text: string | null
}

/** A row in the archive. */
export interface ArchivedLine {
  readonly table: string
  readonly kind: string | null
  readonly row: Readonly<Record<string, any>>
}

const deflate = promisify(gzip)
const inflate = promisify(gunzip)

/** What belongs to no kind. */
const NO_KIND = '_'
const MOST_NAMES = 1_000

/**
 * Writes lines of one kind.
 * @returns the file
 * @throws ARCHIVE_UNWRITABLE
 */
export async function keep(folder: string, lines: readonly Line[]): Promise<string> {
  const [first] = lines as [Line]
  const path = join(folder, ...placeOf(first))
  const texts = lines.map(textOf)
  try {
    const made = await mkdir(dirname(path), { recursive: true })
    const free = await nameFor(path, texts)
    await write(free, await deflate(`${texts.join('\n')}\n`))
    for (let at = dirname(free); ; at = dirname(at)) {
      await settle(at)
      if (made === undefined || at.length < made.length) break
    }
    return free
  } catch (thrown) {
    const { code, message } = thrown as { code?: string; message: string }
    throw fault('ARCHIVE_UNWRITABLE', { folder, reason: code ?? message }, thrown)
  }
}

/** Reads a file of the archive. Numbers beyond 2^53 lose their last digits. */
export async function readArchive(file: string): Promise<ArchivedLine[]> {
  return (await linesIn(file)).map((line) => JSON.parse(line))
}

async function linesIn(file: string): Promise<string[]> {
  return (await inflate(await readFile(file))).toString('utf8').split('\n').slice(0, -1)
}

const textOf = ({ table, kind, text }: Line) =>
  `{"table":${JSON.stringify(table)},"kind":${JSON.stringify(kind)},"row":${text}}`

/** Its kind, its day and its first line name a chunk. */
function placeOf({ table, kind, id, step, at }: Line): string[] {
  const moment = new Date(at).toISOString()
  const key = step === null ? id : `${id}.${step}`
  const name = `${moment.replaceAll(':', '')}-${table}-${key}.ndjson.gz`
  return [folderOf(kind), moment.slice(0, 10), name]
}

/** The folder of a kind within the archive. */
export const folderOf = (kind: string | null): string =>
  kind === null ? NO_KIND : kind.replace(/[^\w-]/g, '_')

/** The name itself, if nothing is there, or only what is in `texts` too: then it is the same chunk once more. */
async function nameFor(path: string, texts: readonly string[]): Promise<string> {
  const ours = new Set(texts)
  for (let nth = 1; nth < MOST_NAMES; nth++) {
    const name = nth === 1 ? path : path.replace(/\.ndjson\.gz$/, `.${nth}.ndjson.gz`)
    const there = await linesIn(name).catch((thrown) => {
      if (thrown.code === 'ENOENT') return []
      // Not ours to judge, so not ours to replace.
      if (typeof thrown.code === 'string' && thrown.code.startsWith('Z_')) return null
      throw thrown
    })
    if (there?.every((line) => ours.has(line))) return name
  }
  throw new Error(`there are ${MOST_NAMES} files of the name ${path}`)
}

async function write(path: string, content: Uint8Array): Promise<void> {
  const draft = `${path}.${newToken()}.part`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (thrown) {
    await rm(draft, { force: true })
    throw thrown
  }
}

/** A new name is on the disk when its folder is. */
async function settle(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
