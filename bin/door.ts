// The door: what every command is handed. It reads the configuration, opens the app and prints.
// Promise: whatever a command opened is closed again, however it ends.
import { type Command, Option } from 'commander'
import { type Config, readConfig } from '../lib/config.ts'
import type { Migration } from '../lib/database.ts'
import { EXIT, isFault } from '../lib/errors.ts'
import { SystemTime } from '../lib/time.ts'
import { App, type Because } from '../models/index.ts'
import { Query } from '../models/query.ts'
import { type AppFile, loadApp } from './load.ts'
import { json, plain } from './print.ts'
import type { Street } from './street.ts'

/** Options every command takes. */
export interface Globals {
  readonly app?: string
  readonly dataFolder?: string
  readonly output: 'table' | 'json' | 'wide'
  readonly verbose?: boolean
  /** Of `worker` and `solo`. */
  readonly concurrency?: number
}

/** Options of commands that change something. */
export interface Change extends Globals {
  readonly reason?: string
  readonly actor?: string
}

/** An app opened for one command. */
export interface Opened {
  readonly app: App
  readonly file: AppFile
  readonly config: Config
  readonly query: Query
  readonly time: SystemTime
}

/** What the launcher knows. */
export interface Origin {
  /** The folder of the package. */
  readonly home: URL
  /** Makes this process fit to import an app file. */
  prepare(file: { isTypeScript: boolean }): Promise<void>
}

export class Door {
  readonly street: Street
  readonly #origin: Origin
  readonly time = new SystemTime()
  /** What the process ends with when nothing is thrown. */
  exit: number = EXIT.ok

  constructor(street: Street, origin: Origin) {
    this.street = street
    this.#origin = origin
  }

  /** @throws CONFIG_INVALID */
  config({ app, dataFolder, concurrency }: Globals): Config {
    return readConfig({
      ...this.street.env,
      ...(app !== undefined && { ESCAPEMENT_APP: app }),
      ...(dataFolder !== undefined && { ESCAPEMENT_DATA: dataFolder }),
      ...(concurrency !== undefined && { ESCAPEMENT_CONCURRENCY: String(concurrency) }),
    })
  }

  /** Who did it, and why. */
  because({ actor, reason }: Change): Because {
    return { actor: actor ?? this.actor, ...(reason !== undefined && { reason }) }
  }

  get actor(): string {
    return `cli:${this.street.user}`
  }

  /** Migrations the app's plugins bring; none where no app is named. @throws whatever loading throws */
  async migrations(globals: Globals): Promise<readonly Migration[]> {
    try {
      const { definition } = await this.load(globals)
      return (definition.plugins ?? []).flatMap(({ migrations = [] }) => migrations)
    } catch (thrown) {
      if (isFault(thrown, 'APP_NOT_NAMED')) return []
      throw thrown
    }
  }

  /** The app file alone; nothing of the house is opened. @throws whatever `loadApp` throws */
  load(globals: Globals): Promise<AppFile> {
    const { prepare } = this.#origin
    return loadApp(this.config(globals).app, this.street.folder, prepare)
  }

  /**
   * Lends the app to `work`, and closes it.
   * @param options.migrate brings the schema up to date first
   * @throws whatever loading and opening throw
   */
  async withApp(
    globals: Globals,
    work: (opened: Opened) => Promise<void>,
    options: { migrate?: boolean } = {},
  ): Promise<void> {
    const config = this.config(globals)
    const file = await this.load(globals)
    const { time, actor } = this
    const app = await App.open({ ...file.definition, ...options, config, time, actor })
    try {
      const { database, keyring } = app.rooms
      const query = new Query({ knex: database.knex, keyring, time, registry: app.registry })
      await work({ app, file, config, query, time })
    } finally {
      await app.close()
    }
  }

  /** Says something to people. */
  say(text: string): void {
    this.street.out.write(`${text}\n`)
  }

  /** Shows a value: as JSON if that was asked for, else as the text made of it. */
  show({ output }: Globals, value: unknown, text: () => string): void {
    this.street.out.write(output === 'json' ? `${json(value)}\n` : text())
  }

  /** Tells what a change did, in a sentence or as JSON. */
  tell(globals: Globals, value: object, sentence: string): void {
    this.show(globals, value, () => `${plain(sentence)}\n`)
  }
}

type Work<O> = (args: any[], options: O) => Promise<void>

/** Ties a command to its work; options come with the global ones. */
export function doing<O extends Globals>(command: Command, work: Work<O>): Command {
  return command.action(() => work(command.processedArgs, command.optsWithGlobals() as O))
}

/** Adds what every change takes. */
export function changing(command: Command): Command {
  return command
    .addOption(new Option('--reason <text>', 'why, for the history'))
    .addOption(new Option('--actor <name>', 'who, for the history (default: cli:<user>)'))
}
