// Retention: history that grew old is archived or dropped, by rules for each kind.
// Promise: removed in small chunks, oldest first, each archived before it goes; what a run needs to go on, and to be
// rewound within its time, stays.
import type { Plugin } from '../models/index.ts'
import { Keeper, type KeeperParts } from './retention/keeper.ts'
import { type RetentionOptions, settingsOf } from './retention/options.ts'
import { Rounds } from './retention/round.ts'
import { scopesOf } from './retention/scope.ts'
import { tables } from './retention/tables.ts'

export { type ArchivedLine, folderOf, readArchive } from './retention/archive.ts'
export type { Keeper, OldLine, Removed, RunOptions } from './retention/keeper.ts'
export type { RetentionOptions, RetentionRule } from './retention/options.ts'
export {
  type LastRound,
  lastRounds,
  type RetiredSteps,
  retiredSteps,
} from './retention/retired.ts'

/** The plugin, and its keeper for whoever does not want to wait for the next round. */
export interface Retention extends Plugin {
  readonly name: 'retention'
  keeper(parts: KeeperParts): Keeper
}

/**
 * A plugin that keeps history for as long as its rules say.
 * @throws RETENTION_INVALID naming the rule and the option; for a kind the app does not have, when that opens
 */
export function retention(options: RetentionOptions): Retention {
  const settings = settingsOf(options)
  const keeper = (parts: KeeperParts) => new Keeper(settings, parts)
  return {
    name: 'retention',
    migrations: [tables],
    check: (registry) => void scopesOf(settings.terms, registry),
    keeper,
    duty: (premises, place) =>
      place === 'clock' ? new Rounds(keeper(premises), settings.everyMs, premises) : null,
  }
}
