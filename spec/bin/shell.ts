// The command line as a user has it: a child process with words, variables and what it says; or the same program in
// this process, for specs that look at what a command says and does and not at the process around it.
// Promise: nothing of the environment of the specs reaches it, so each says all it depends on.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Environment } from '../../lib/config.ts'
import { Keyring } from '../../lib/keyring.ts'
import { layBlank } from '../support/blank.ts'
import { asCompiled, BRIEF } from '../support/compiled.ts'
import { freshSchema, removeHouse } from '../support/house.ts'
import { databaseUrl, quickest } from '../support/services.ts'
import { street } from './street.ts'

/** How a command ended. */
export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface Surroundings {
  readonly env?: Environment
  /** What it reads. */
  readonly input?: string
  /** The current folder; the repository unless told. */
  readonly folder?: string
  /** The program; the one of the repository unless told. */
  readonly program?: string
  /** Told as it speaks, with all it said so far. */
  hear?(child: ChildProcess, out: string): void
}

const PROGRAM = await asCompiled('bin/escapement.js')
/** The copy of the house that app files import, too. */
const { main } = (await import(
  await asCompiled('bin/main.ts')
)) as typeof import('../../bin/main.ts')
const ORIGIN = { home: pathToFileURL(`${dirname(dirname(PROGRAM))}/`), prepare: async () => {} }
export const SHOP = await asCompiled('spec/bin/fixtures/shop.ts')

/** Runs a command to its end. */
export async function escapement(
  words: readonly string[],
  around: Surroundings = {},
): Promise<Ended> {
  const { env, input = '', folder, program = PROGRAM, hear } = around
  const { PATH, TMPDIR, HOME } = process.env
  const child = spawn(process.execPath, [...BRIEF, program, ...words], {
    cwd: folder,
    env: { PATH, TMPDIR, HOME, ...env },
    stdio: 'pipe',
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
    hear?.(child, out)
  })
  child.stderr.on('data', (chunk) => {
    err += chunk
  })
  child.stdin.on('error', () => {}) // it may end without reading
  child.stdin.end(input)
  const [code] = await once(child, 'close')
  return { code, out, err }
}

/** Runs a command to its end, in this process: no signal and no closed pipe reaches it. */
export async function inside(words: readonly string[], around: Surroundings = {}): Promise<Ended> {
  const { env = {}, input = '' } = around
  const said = { out: '', err: '' }
  const code = await main(words, ORIGIN, street({ env, input, said }))
  return { code, ...said }
}

/** A folder of its own, with the variables of an embedded house in it, or of one in PostgreSQL. */
export class Place {
  readonly folder = mkdtempSync(join(process.env.SPEC_TEMP ?? tmpdir(), 'escapement-cli-'))
  readonly data = join(this.folder, 'data')
  readonly env: Environment
  readonly #run: typeof escapement
  readonly #schema: string | null

  /**
   * @param run how commands are run here: each in a process of its own, unless told; that always when it needs one
   * @param schema where in PostgreSQL; embedded unless told
   */
  constructor(run = escapement, schema: string | null = null) {
    this.#run = run
    this.#schema = schema
    this.env = {
      ESCAPEMENT_DATA: this.data,
      ESCAPEMENT_APP: SHOP,
      ESCAPEMENT_BEAT_MS: '50',
      ...(schema && {
        ...{ DATABASE_URL: databaseUrl(), ESCAPEMENT_SCHEMA: schema },
        ESCAPEMENT_KEYS: Keyring.generate(),
      }),
    }
  }

  /** A place that has its database, and nothing in it. */
  static async blank(run = escapement): Promise<Place> {
    const place = new Place(run)
    await layBlank(place.data)
    return place
  }

  /**
   * The same where a command has the house open soonest: for an embedded one each command starts a database. Remove it
   * and wait for that.
   */
  static async quickest(): Promise<Place> {
    if (quickest() === 'embedded') return Place.blank(inside)
    const place = new Place(inside, freshSchema())
    try {
      await place.json(['migrate'])
    } catch (thrown) {
      await place.remove().catch(() => {})
      throw thrown
    }
    return place
  }

  /** Runs a command here. */
  run(words: readonly string[], around: Surroundings = {}): Promise<Ended> {
    const { hear, program, folder } = around
    const isApart = hear ?? program ?? folder
    return (isApart ? escapement : this.#run)(words, {
      ...around,
      env: { ...this.env, ...around.env },
    })
  }

  /** Runs a command that must succeed; answers its JSON. */
  async json(words: readonly string[], around: Surroundings = {}): Promise<any> {
    const { code, out, err } = await this.run([...words, '-o', 'json'], around)
    if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}: ${err}`)
    return JSON.parse(out)
  }

  /** @throws when something is left that nobody was to leave */
  async remove(): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20 })
    const leaks = this.#schema ? await removeHouse(this.#schema, 'postgres') : []
    if (leaks.length > 0) throw new Error(`the place leaks: ${leaks.join('; ')}`)
  }
}
