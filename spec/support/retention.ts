// A house whose history grows old, for the specs of retention.
// Promise: everything moves by hand; what is in an archive is read from its files, never from memory.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assign, setup } from 'xstate'
import * as z from 'zod'
import { effect, Resource, secret } from '../../bin/index.ts'
import type { Database } from '../../lib/database.ts'
import {
  type ArchivedLine,
  type Keeper,
  type RetentionOptions,
  readArchive,
  retention,
} from '../../plugins/retention.ts'
import { type Driver, drive } from './drive.ts'
import { type House, openHouse } from './house.ts'
import { premisesOf } from './premises.ts'
import type { Setting } from './services.ts'
import { FakeTime } from './time.ts'

export const CANARY = 'canary-of-retention'

const walk = setup({
  actions: { count: assign({ times: ({ context }: any) => context.times + 1 }) },
}).createMachine({
  context: { times: 0 },
  initial: 'left',
  states: {
    left: { on: { GO: { target: 'right', actions: 'count' }, END: 'over' } },
    right: { on: { GO: { target: 'left', actions: 'count' }, END: 'over' } },
    over: { type: 'final' },
  },
})
const boom = effect(
  async () => {
    throw new Error('it broke')
  },
  { retry: false },
)
const fail = setup({ actors: { boom } }).createMachine({
  initial: 'on',
  states: { on: { invoke: { src: 'boom' } } },
})

export class Server extends Resource {
  static override fields = { password: secret(z.string().optional()) }
  static override tasks = { walk, fail }
}
export class Small extends Server {}
export class Tiny extends Small {}
export class Box extends Resource {
  static override tasks = { walk }
}

/** A place where history grows old. */
export class Attic {
  readonly folder = mkdtempSync(join(process.env.SPEC_TEMP ?? tmpdir(), 'retention-'))
  readonly time = new FakeTime()
  house!: House
  driver!: Driver

  async open(setting: Setting): Promise<void> {
    // The rule of the house keeps everything: keepers of the specs have rules of their own.
    const plugins = [retention({ rules: { '*': 'keep' } })]
    const resources = [Server, Small, Tiny, Box]
    this.house = await openHouse({ resources, plugins, setting, time: this.time })
    this.driver = drive({ app: this.house.app, time: this.time })
  }

  async close(): Promise<void> {
    await this.house?.close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** @param database stands in for that of the house */
  keeper(options: RetentionOptions, database?: Database): Keeper {
    const premises = premisesOf(this.house.app, this.time)
    return retention({ pause: 0, ...options }).keeper({
      ...premises,
      ...(database && { database }),
    })
  }

  /** A resource whose task has walked so many steps, one a day. */
  async walked(days: number, shape: typeof Server | typeof Box = Server) {
    const held = await this.house.app.create(shape as typeof Box, {})
    await held.walk.start()
    await this.driver.settle()
    for (let day = 0; day < days; day++) await this.stroll(held)
    const { taskId } = (await held.walk.status())!
    return { held, taskId }
  }

  /** A day and a step. */
  async stroll(held: { walk: { send(event: 'GO'): Promise<unknown> } }): Promise<void> {
    await this.driver.advance('1d')
    await held.walk.send('GO')
    await this.driver.settle()
  }

  /** The numbers of the steps that are in the database. */
  async steps(taskId: string): Promise<number[]> {
    const sql = 'SELECT step FROM transitions WHERE task_id = $1 ORDER BY step'
    return (await this.house.sql(sql, [taskId])).map(({ step }) => step)
  }

  /** All files of the archive. */
  files(): string[] {
    if (!existsSync(this.folder)) return []
    const found = readdirSync(this.folder, { recursive: true, withFileTypes: true })
    return found
      .filter((one) => one.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort()
  }

  /** All rows of the archive. */
  async archived(): Promise<ArchivedLine[]> {
    return (await Promise.all(this.files().map((file) => readArchive(file)))).flat()
  }

  /** The numbers of the steps that are in the archive, as often as they are. */
  async archivedSteps(taskId: string): Promise<number[]> {
    const lines = (await this.archived()).filter(({ table }) => table === 'transitions')
    const own = lines.filter(({ row }) => row.task_id === taskId)
    return own.map(({ row }) => row.step).sort((a, b) => a - b)
  }

  /** Nothing is archived, and nothing was ever looked at. */
  async empty(): Promise<void> {
    for (const name of readdirSync(this.folder)) {
      rmSync(join(this.folder, name), { recursive: true, force: true })
    }
    await this.house.sql('DELETE FROM resources')
    await this.house.sql('TRUNCATE retention_marks, retired_steps, alarms, alarm_changes')
  }
}

export const upTo = (last: number, first = 0): number[] =>
  Array.from({ length: last - first + 1 }, (_, at) => first + at)
