// The flags of the bench, as a plan.
// Promise: a bad flag is one sentence that says what may stand there.
import { Command, CommanderError } from 'commander'
import { HERO, isOurs, SYSTEMS, type System } from './systems.ts'
import { WORKLOADS } from './workloads/index.ts'
import type { Extent } from './workloads/workload.ts'

export interface Plan {
  readonly extent: Extent
  /** Names of workloads. */
  readonly only: readonly string[]
  /** What the name of a configuration must hold. */
  readonly match: string
  readonly systems: readonly System[]
  readonly rounds: number
  /** What would last longer in all is left out, in minutes; Infinity when nothing is. */
  readonly minutes: number
  /** Where reports are written, by their form. */
  readonly files: Readonly<Partial<Record<Form, string>>>
}

export const FORMS = ['json', 'markdown', 'svg'] as const
export type Form = (typeof FORMS)[number]

/** What was asked is nonsense; the message is the sentence to say. */
export class BadFlag extends Error {}

const MOST = { rounds: 100, instances: 1_000_000, minutes: 1_440 }
const ROUNDS = { quick: 1, whole: 3 }
/** Ten with the build before and with a last configuration that takes longer than was guessed. */
const QUICK_MINUTES = 9.5

/**
 * Reads the flags.
 * @param words the arguments after the name of the program
 * @returns the plan, or null when help was asked for and given
 * @throws BadFlag
 */
export function planOf(words: readonly string[]): Plan | null {
  const command = commandOf()
  try {
    command.parse(words, { from: 'user' })
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown
    if (thrown.exitCode === 0) return null
    throw new BadFlag(`${thrown.message.replace(/^error: /, '').replace(/\.?$/, '')}; see --help.`)
  }
  const { quick, ...flags } = command.opts<{ quick?: true } & Record<string, string | undefined>>()
  const isQuick = quick === true
  const files = Object.fromEntries(
    FORMS.flatMap((form) => (flags[form] ? [[form, flags[form]]] : [])),
  )
  return {
    extent: { isQuick, instances: wholeOf('instances', flags.instances) },
    only: workloadsOf(flags.only),
    match: flags.match ?? '',
    systems: systemsOf(flags.peers, isQuick),
    rounds: wholeOf('rounds', flags.rounds) ?? ROUNDS[isQuick ? 'quick' : 'whole'],
    minutes: wholeOf('minutes', flags.minutes) ?? (isQuick ? QUICK_MINUTES : Infinity),
    files: files as Plan['files'],
  }
}

function commandOf(): Command {
  return new Command('bench')
    .description('Measures Escapement and its peers on the same servers, in alternation.')
    .option('--quick', 'less of everything, within ten minutes on two cores')
    .option(
      '--only <workloads>',
      `these workloads: ${WORKLOADS.map(({ name }) => name).join(', ')}`,
    )
    .option('--peers <names>', 'these peers, or "none"; ours is always measured')
    .option('--match <text>', 'configurations whose name holds this: concurrency=50')
    .option('--instances <count>', 'so many instead of what the workloads say')
    .option('--rounds <count>', 'how often each system runs (3; 1 if quick)')
    .option(
      '--minutes <count>',
      'leave out what would last longer (what ten minutes hold if quick)',
    )
    .option('--json <file>', 'write the report as JSON')
    .option('--markdown <file>', 'write it as Markdown')
    .option('--svg <file>', 'draw it')
    .addHelpText(
      'after',
      `\nSystems:\n${SYSTEMS.map(({ name, about }) => `  ${name.padEnd(22)}${about}`).join('\n')}`,
    )
    .allowExcessArguments(false)
    .configureOutput({ writeErr: () => {} })
    .exitOverride()
}

const listed = (text: string) =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean)

function workloadsOf(text: string | undefined): string[] {
  const known = WORKLOADS.map(({ name }) => name)
  if (text === undefined) return known
  const wanted = listed(text).map((name) => name.toUpperCase())
  const unknown = wanted.find((name) => !known.includes(name))
  if (unknown !== undefined || wanted.length === 0)
    throw new BadFlag(
      `--only knows no workload "${unknown ?? text}"; there are ${known.join(', ')}.`,
    )
  return wanted
}

/** A name, or the part before the colon for all its variants. Ours comes first, always. */
function systemsOf(text: string | undefined, isQuick: boolean): System[] {
  if (text === undefined)
    return SYSTEMS.filter(({ when }) => when === 'quick' || (when === 'whole' && !isQuick))
  const wanted = listed(text).filter((name) => name !== 'none')
  const matches = (name: string) => (system: System) =>
    system.name === name || system.name.split(':')[0] === name
  const unknown = wanted.find((name) => !SYSTEMS.some(matches(name)))
  if (unknown !== undefined || text.trim() === '') {
    const known = SYSTEMS.filter((system) => !isOurs(system)).map(({ name }) => name)
    throw new BadFlag(
      `--peers knows no system "${unknown ?? text}"; there are ${known.join(', ')}.`,
    )
  }
  return SYSTEMS.filter(
    (system) => system.name === HERO || wanted.some((name) => matches(name)(system)),
  )
}

function wholeOf(flag: keyof typeof MOST, text: string | undefined): number | null {
  if (text === undefined) return null
  const count = Number(text)
  if (!/^\d+$/.test(text) || count < 1 || count > MOST[flag])
    throw new BadFlag(`--${flag} takes a whole number from 1 to ${MOST[flag]}, not "${text}".`)
  return count
}
