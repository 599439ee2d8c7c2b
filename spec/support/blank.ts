// A blank embedded database: made once on this machine, and copied by whoever needs one.
// Promise: what lib/embedded.ts makes in an empty folder, nothing of a house in it, never half made; another engine,
// or another way to start it, makes another. To make one takes the engine five seconds of a processor.
import { createHash } from 'node:crypto'
import {
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openEmbedded } from '../../lib/embedded.ts'
import { keptFolder, touch } from './compiled.ts'

const MADE_OF = ['lib/embedded.ts', 'node_modules/@electric-sql/pglite/package.json']
/** As lib/embedded.ts lays them out. */
const DATA = 'data'
const DUMP = 'dump.tar'
let asked: Promise<string> | undefined

/** Makes the blank, or finds it made. @returns its folder */
export function blank(): Promise<string> {
  asked ??= process.env.SPEC_BLANK ? Promise.resolve(process.env.SPEC_BLANK) : found()
  return asked
}

/** To begin an embedded database in memory from. */
export async function blankDump(): Promise<Blob> {
  return new Blob([await readFile(join(await blank(), DUMP))])
}

/** Lays a blank database where a house is going to look for its own: nobody has opened it yet. */
export async function layBlank(folder: string): Promise<void> {
  const from = join(await blank(), DATA)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  cpSync(from, join(folder, DATA), { recursive: true })
}

async function found(): Promise<string> {
  const hash = createHash('sha256').update(process.version)
  for (const path of MADE_OF) hash.update(readFileSync(path))
  const home = keptFolder()
  const folder = join(home, `blank-${hash.digest('hex').slice(0, 24)}`)
  if (lstatSync(folder, { throwIfNoEntry: false })) {
    touch(folder)
    return folder
  }
  const making = mkdtempSync(join(home, 'making-'))
  try {
    const embedded = await openEmbedded({ folder: making })
    const dump = await embedded.dump()
    await embedded.close()
    await writeFile(join(making, DUMP), Buffer.from(await dump.arrayBuffer()))
    renameSync(making, folder)
  } catch (error) {
    if (!lstatSync(folder, { throwIfNoEntry: false })) throw error // else another was faster
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
  return folder
}
