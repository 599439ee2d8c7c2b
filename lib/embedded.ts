// The embedded database: PostgreSQL inside this process. The only PGlite door.
// Promise: the stock `pg` driver finds a server behind `stream()`, with the types and errors of a
// real one; one process at a time has the folder; what was committed survives the process.
// It does not survive the power: PGlite never calls fsync.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Duplex } from 'node:stream'
import { PGlite, type PGliteOptions, protocol } from '@electric-sql/pglite'
import { Caller } from './embedded/caller.ts'
import { Session } from './embedded/session.ts'
import { lastWordsIn, messagesIn } from './embedded/wire.ts'
import { asError } from './errors.ts'
import { type FolderLock, lockFolder } from './folder.ts'
import { SystemTime, type Time } from './time.ts'

export interface EmbeddedOptions {
  /** Where the data is kept, made when missing; null for memory. */
  readonly folder: string | null
  /** A dump to begin from instead of an empty database; only in memory. */
  readonly from?: Blob
  readonly time?: Time
  /** How long a transaction may rest while others wait, in milliseconds; 10 s unless told. */
  readonly stuckMs?: number
}

export interface Embedded {
  /** A new wire, for the `stream` option of `pg` (`{ stream: () => embedded.stream(), user: 'postgres' }`). */
  stream(): Duplex
  /** Everything in it, to begin another one from. */
  dump(): Promise<Blob>
  /** Dismisses all clients, rolls back what they left open, and gives the folder back. */
  close(): Promise<void>
}

const STUCK_MS = 10_000

/**
 * `shared_buffers`: 16 MB instead of 128 save 120 MB of memory. `max_stack_depth`: what the engine
 * survives; beyond it a runaway recursion would end the database instead of the statement.
 */
const START = ['shared_buffers=16MB', 'max_stack_depth=100kB'].flatMap((setting) => ['-c', setting])

/**
 * Opens the embedded database. The first time in a folder takes about two seconds.
 * @throws DATA_FOLDER_IN_USE when another process has the folder
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { folder, from } = options
  if (folder === null) return serve(await boot(from ? { loadDataDir: from } : {}), options, null)
  const home = resolve(folder)
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const lock = lockFolder(home)
  try {
    return await serve(await bootFrom(home), options, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

const boot = (options: PGliteOptions): Promise<PGlite> =>
  PGlite.create({ ...options, startParams: [...PGlite.defaultStartParams, ...START] })

/** A process that dies while it makes the database leaves half of one: the mark tells, and it is made anew. */
async function bootFrom(home: string): Promise<PGlite> {
  const data = join(home, 'data')
  const mark = join(home, 'unfinished')
  if (existsSync(mark)) rmSync(data, { recursive: true, force: true })
  if (!existsSync(join(data, 'PG_VERSION'))) writeFileSync(mark, '', { mode: 0o600 })
  mkdirSync(data, { recursive: true, mode: 0o700 })
  const database = await boot({ dataDir: data })
  rmSync(mark, { force: true })
  return database
}

async function serve(
  database: PGlite,
  { time = new SystemTime(), stuckMs = STUCK_MS }: EmbeddedOptions,
  lock: FolderLock | null,
): Promise<Embedded> {
  const execute = engineOf(database)
  const greeting = await greetingOf(execute)
  const session = new Session({ execute, time, stuckMs })
  let callers = 0
  let closing: Promise<void> | undefined
  const close = async () => {
    await session.close()
    // A broken one would never come back from closing.
    if (!session.broken) await database.close()
    lock?.release()
  }
  return {
    stream: () => new Caller({ session, greeting, id: ++callers }),
    dump: () => database.dumpDataDir('none'),
    close: () => {
      closing ??= close()
      return closing
    },
  }
}

/**
 * Sends messages and gathers the answer. Not by `execProtocolRaw`, which keeps all it ever answered.
 * @throws when the engine did not survive the messages; it must not be called again
 */
function engineOf(database: PGlite): (bytes: Buffer) => Promise<Buffer> {
  const fell = watchFalls(database.Module)
  return async (bytes) => {
    const chunks: Buffer[] = []
    // The chunk is a view into the engine's memory, which is about to be used again.
    const onRawData = (chunk: Uint8Array) => void chunks.push(Buffer.from(chunk))
    const run = () => database.execProtocolRawStream(bytes, { onRawData })
    const error = await database.runExclusive(run).then(() => null, asError)
    const answer = Buffer.concat(chunks)
    if (error || fell()) throw new Error(lastWordsIn(answer) ?? 'a query was more than it can bear')
    return answer
  }
}

/**
 * PGlite takes whatever the engine throws for an error in SQL, even its exit or the end of the
 * stack, and calls it again: for ever, or in ruins. Only a long jump is an error in SQL. Tells
 * whether there was anything else, and lets nobody enter after it.
 */
function watchFalls(engine: PGlite['Module']): () => boolean {
  const { stackSave, stackRestore, _PostgresMainLongJmp } = engine
  let fallen = false
  const standing = () => {
    if (fallen) throw new Error('the engine ended')
  }
  // PGlite's loop: save, run; when that threw: restore and, if it was a long jump, handle it.
  engine.stackSave = () => {
    standing()
    return stackSave()
  }
  engine.stackRestore = (pointer) => {
    standing()
    fallen = true
    return stackRestore(pointer)
  }
  engine._PostgresMainLongJmp = () => {
    fallen = false
    return _PostgresMainLongJmp()
  }
  return () => fallen
}

/** What the database tells a new client about itself. */
async function greetingOf(execute: (bytes: Buffer) => Promise<Buffer>): Promise<Buffer> {
  const startup = protocol.serialize.startup({ user: 'postgres', database: 'postgres' })
  const said = [...messagesIn(await execute(Buffer.from(startup)))]
  // It repeats itself after the first query; nobody else should hear that.
  await execute(Buffer.from(protocol.serialize.query('SELECT 1')))
  return Buffer.concat(said.filter(({ type }) => 'RS'.includes(type)).map(({ bytes }) => bytes))
}
