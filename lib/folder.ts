// The folder of the embedded database belongs to one process at a time.
// Promise: a second process is told who holds it; a process that died leaves nothing to clean up,
// even if its number has been given to another. Sees processes of this machine (and container) only.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fault } from './errors.ts'

/** A folder held. */
export interface FolderLock {
  /** Gives the folder back; harmless when repeated. */
  release(): void
}

interface Holder {
  readonly pid: number
  /** When it was born, where the system tells: a number given again has another birth. */
  readonly birth: string | null
}

/**
 * Holds a folder for this process.
 * @param folder must exist; a file named `lock` is kept in it
 * @throws DATA_FOLDER_IN_USE when a living process holds it, be it this one
 */
export function lockFolder(folder: string): FolderLock {
  const path = join(folder, 'lock')
  const mine = JSON.stringify({ pid: process.pid, birth: birthOf(process.pid) } satisfies Holder)
  while (!claim(path, mine)) {
    const theirs = read(path)
    if (theirs === null) continue
    const holder = parse(theirs)
    if (holder && isAlive(holder)) throw fault('DATA_FOLDER_IN_USE', { folder, pid: holder.pid })
    clear(path, theirs)
  }
  return {
    release: () => {
      if (read(path) === mine) rmSync(path, { force: true })
    },
  }
}

/** Makes the file with its content in one deed: nobody ever reads half of it. */
function claim(path: string, text: string): boolean {
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, text, { mode: 0o600 })
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    return claimWithoutLinks(path, text)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** For file systems that know no hard links. */
function claimWithoutLinks(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { mode: 0o600, flag: 'wx' })
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Takes a dead holder's file away, unless somebody else did and put theirs there meanwhile. */
function clear(path: string, stale: string): void {
  const aside = `${path}.${process.pid}.stale`
  try {
    renameSync(path, aside)
    if (read(aside) !== stale) linkSync(aside, path)
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes(codeOf(error))) throw error
  } finally {
    rmSync(aside, { force: true })
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}

/** What a file says; a file that was cut short by a crash names nobody. */
function parse(text: string): Holder | null {
  try {
    const { pid, birth } = JSON.parse(text)
    return Number.isInteger(pid) && pid > 0 ? { pid, birth: birth ?? null } : null
  } catch {
    return null
  }
}

function isAlive({ pid, birth }: Holder): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
  const now = birthOf(pid)
  return now !== DEAD && (now === null || birth === null || now === birth)
}

const DEAD = 'dead'
/** Places in /proc/N/stat, counted after the command's closing bracket: see proc(5). */
const STATE = 0
const START_TIME = 19

/** When a process was born, in ticks since boot; null where the system does not tell. */
function birthOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie answers signals, but it will never write again.
    return fields[STATE] === 'Z' || fields[STATE] === 'X' ? DEAD : (fields[START_TIME] ?? null)
  } catch {
    return null
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? ''
