// The servers specs talk to: given by the environment, or private ones started for the occasion.
// Promise: a private server listens on loopback only, keeps its data in a temporary folder, and is
// gone with it at the end, however the process ends. A PostgreSQL of one's own keeps its default durability; the one
// shared by a whole run does not wait for the disk: it outlives any kill of its processes, but not the power.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { chmod, chown, mkdtemp } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { until } from './wait.ts'

export type Setting = 'embedded' | 'postgres' | 'full'

/** The database of the environment, if there is one. */
export const databaseUrl = (): string | undefined => given('DATABASE_URL')
/** The Redis of the environment, if there is one. */
export const redisUrl = (): string | undefined => given('REDIS_URL')

function given(name: string): string | undefined {
  return process.env[`SPEC_${name}`] || process.env[name] || undefined
}

/** The settings specs can be run in here, from the lightest to the heaviest. */
export function settings(): Setting[] {
  if (!databaseUrl()) return ['embedded']
  return redisUrl() ? ['embedded', 'postgres', 'full'] : ['embedded', 'postgres']
}

/** The setting in which a step costs least: for long scenes that are played in one of them. */
export const quickest = (): Setting => settings()[1] ?? 'embedded'

/** A server of our own, to be killed, flushed and revived at will. */
export interface PrivateServer {
  readonly url: string
  /** The process now serving; another one after `restart`. */
  readonly pid: number
  /** Sends a signal and resolves when the process has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** SIGKILL, to it and to every process it has started. */
  crash(): Promise<void>
  /** Starts again after `kill` or `crash`: same port, same data. */
  restart(): Promise<void>
  /** Ends the process and removes the data. */
  stop(): Promise<void>
}

interface Recipe {
  readonly what: string
  readonly url: string
  readonly folder: string
  readonly command: string
  readonly args: readonly string[]
  readonly owner: Owner | null
  /** How the server is asked to end at once without being killed. */
  readonly quit: NodeJS.Signals
  /** Variables on top of the few it inherits. */
  readonly environment?: Readonly<Record<string, string>>
  ready(): Promise<boolean>
}

interface Owner {
  readonly uid: number
  readonly gid: number
}

const START_DEADLINE_MS = 30_000
const POSTGRES_HOMES = '/usr/lib/postgresql'

/** Is there a `postgres` (with its `initdb`) on this machine? */
export const hasPostgres = (): boolean => postgresFolder() !== null
/** Is there a `redis-server` on this machine? */
export const hasRedis = (): boolean => folderOf('redis-server') !== null

/**
 * Starts a PostgreSQL of our own on a free port: superuser `postgres`, database `postgres`.
 * PostgreSQL refuses to run as root, so under root it is started as the user `postgres`.
 * @param more settings on top of its defaults, as `name=value`
 * @param environment variables on top of the few it inherits
 */
export async function startPrivatePostgres(
  more: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<PrivateServer> {
  const binaries = postgresFolder()
  if (binaries === null)
    throw new Error('There is no postgres on this machine: install postgresql.')
  const owner = process.getuid?.() === 0 ? accountOf('postgres', 'nobody') : null
  const folder = await temporaryFolder('pg', owner)
  const data = join(folder, 'data')
  const initdb = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N']
  await promisify(execFile)(join(binaries, 'initdb'), initdb, { cwd: folder, ...owner })
  const port = await freePort()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const own = ['listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`]
  const args = [...own, 'max_connections=300', ...more].flatMap((setting) => ['-c', setting])
  const command = join(binaries, 'postgres')
  const all = ['-D', data, '-p', String(port), ...args]
  const ready = () => answersSql(url)
  const server = { what: 'postgres', url, folder, command, args: all, owner, environment, ready }
  return serve({ ...server, quit: 'SIGINT' })
}

/** Starts a Redis of our own on a free port; it saves nothing to disk. */
export async function startPrivateRedis(): Promise<PrivateServer> {
  const binaries = folderOf('redis-server')
  if (binaries === null) throw new Error('There is no redis-server on this machine: install it.')
  const folder = await temporaryFolder('redis', null)
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}`
  const command = join(binaries, 'redis-server')
  const args = ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', folder]
  const all = [...args, '--save', '', '--appendonly', 'no']
  const ready = () => answersPing(port)
  const owner = null
  return serve({ what: 'redis', url, folder, command, args: all, owner, quit: 'SIGTERM', ready })
}

const startCareless = () => startPrivatePostgres(['fsync=off', 'full_page_writes=off'])

/** Starts the servers the environment does not name, and names them to children started later. */
export async function startServices(): Promise<PrivateServer[]> {
  const wanted = [
    { name: 'DATABASE_URL', exists: hasPostgres, start: startCareless, pack: 'postgresql' },
    { name: 'REDIS_URL', exists: hasRedis, start: startPrivateRedis, pack: 'redis-server' },
  ]
  const started: PrivateServer[] = []
  for (const { name, exists, start, pack } of wanted) {
    if (!given(name) && exists()) {
      const server = await start()
      started.push(server)
      process.env[`SPEC_${name}`] = server.url
    } else if (!given(name) && process.env.CI === 'true') {
      throw new Error(`CI runs every setting: install ${pack} or set ${name}.`)
    } else if (given(name)) {
      process.env[`SPEC_${name}`] = given(name)
    }
  }
  return started
}

async function serve(recipe: Recipe): Promise<PrivateServer> {
  let child = await launch(recipe)
  const end = async (signal: NodeJS.Signals) => {
    if (running(child)) child.kill(signal)
    await until(() => !running(child), { what: `${recipe.what} ended`, deadlineMs: 30_000 })
  }
  const vanish = () => {
    if (running(child)) child.kill('SIGKILL')
    remove(recipe.folder)
  }
  process.prependOnceListener('exit', vanish)
  exitOnSignals()
  return {
    url: recipe.url,
    get pid() {
      return child.pid!
    },
    kill: (signal = 'SIGKILL') => end(signal),
    crash: async () => {
      const begotten = await childrenOf(child.pid!)
      child.kill('SIGKILL')
      for (const pid of begotten) killed(pid)
      await end('SIGKILL')
    },
    restart: async () => {
      child = await launch(recipe)
    },
    stop: async () => {
      await end(recipe.quit)
      remove(recipe.folder)
      process.off('exit', vanish)
    },
  }
}

/** A signal nobody listens to ends a process without its `exit` event, and so without our tidying. */
function exitOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    if (process.listenerCount(signal) === 0) process.once(signal, () => process.exit(130))
  }
}

/** Starts the process, again if it gives up: after a kill the old one's port may linger. */
async function launch(recipe: Recipe): Promise<ChildProcess> {
  let child = execute(recipe)
  let said = ''
  const listen = () => child.stderr?.on('data', (chunk) => (said = `${said}${chunk}`.slice(-2_000)))
  listen()
  const answers = async () => {
    if (!running(child)) {
      child = execute(recipe)
      listen()
    }
    return (await recipe.ready()) && running(child)
  }
  const what = `${recipe.what} answered on ${recipe.url}`
  await until(answers, { what, deadlineMs: START_DEADLINE_MS }).catch((error) => {
    child.kill('SIGKILL')
    throw new Error(`${recipe.what} did not start. It said:\n${said}`, { cause: error })
  })
  return child
}

function execute({ command, args, folder, owner, environment }: Recipe): ChildProcess {
  const child = spawn(command, args, {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH, LC_ALL: 'C', ...environment },
    ...owner,
  })
  // A server we started must not keep a finished process alive: `exit` above takes it down.
  child.on('error', () => {})
  child.unref()
  ;(child.stderr as unknown as { unref(): void }).unref()
  return child
}

async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'ppid=,pid='])
  const pairs = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number))
  return pairs.flatMap(([parent, child]) => (parent === pid && child ? [child] : []))
}

function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

const running = (child: ChildProcess) => child.exitCode === null && child.signalCode === null

const remove = (folder: string) =>
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })

async function answersSql(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 2_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } finally {
    await client.end().catch(() => {})
  }
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    const answer = (ok: boolean) => {
      socket.destroy()
      resolve(ok)
    }
    socket.once('data', (data) => answer(data.toString().startsWith('+PONG')))
    socket.once('error', () => answer(false))
    socket.once('close', () => answer(false))
  })
}

/** A port nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

async function temporaryFolder(name: string, owner: Owner | null): Promise<string> {
  const folder = await mkdtemp(join(process.env.SPEC_TEMP ?? tmpdir(), `escapement-${name}-`))
  await chmod(folder, 0o700)
  if (owner) await chown(folder, owner.uid, owner.gid)
  return folder
}

function postgresFolder(): string | null {
  const homes = existsSync(POSTGRES_HOMES) ? readdirSync(POSTGRES_HOMES) : []
  const newest = homes.sort((a, b) => Number(b) - Number(a))
  const folders = newest.map((version) => join(POSTGRES_HOMES, version, 'bin'))
  return folderOf('postgres', folders)
}

function folderOf(binary: string, more: readonly string[] = []): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...more]
  return folders.find((folder) => folder && existsSync(join(folder, binary))) ?? null
}

function accountOf(...names: string[]): Owner {
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  for (const name of names) {
    const account = accounts.find(([user]) => user === name)
    if (account) return { uid: Number(account[2]), gid: Number(account[3]) }
  }
  throw new Error(`None of the users ${names.join(', ')} exists, and root may not run postgres.`)
}
