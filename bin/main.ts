// The command line from its words to its exit status.
// Promise: one sentence for each error, never a rejection nobody heard; a signal ends a command at its
// next safe point and drains a service; the status says which of these it was.
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { EXIT } from '../lib/errors.ts'
import { within } from '../lib/within.ts'
import { complain, isUsage } from './complain.ts'
import { Door, type Origin } from './door.ts'
import { buildProgram } from './program.ts'
import { type Halt, Street } from './street.ts'

/** What a command that is interrupted, and a service that crashed, have to put things back. */
const LAST_MS = 2_000

/**
 * Runs a command.
 * @param words the arguments, without `node` and the script
 * @param street where it reads and speaks; this process unless told
 * @returns the exit status
 */
export async function main(
  words: readonly string[],
  origin: Origin,
  street = new Street(),
): Promise<number> {
  const door = new Door(street, origin)
  const program = buildProgram(door, versionOf(origin))
  const work = run(program, words)
  const halt = await Promise.race([settled(work), street.halted])
  if (halt) await patience(door, halt, work)
  if (halt?.kind === 'signal' && !street.isService) return EXIT.interrupted
  try {
    if (halt?.kind === 'crash') throw halt.error
    await work
    return door.exit
  } catch (thrown) {
    const { text, exit } = complain(thrown, manner(program, words))
    street.err.write(text)
    return exit
  }
}

async function run(program: Command, words: readonly string[]): Promise<void> {
  try {
    await program.parseAsync(words.length === 0 ? ['--help'] : words, { from: 'user' })
  } catch (thrown) {
    if (!isUsage(thrown) || thrown.exitCode !== 0) throw thrown // help and version are no errors
  }
}

const settled = (work: Promise<void>): Promise<null> =>
  work.then(
    () => null,
    () => null,
  )

/** Waits for what is in hand: a service drains in its own time, the rest is given a moment. */
async function patience({ street, time }: Door, halt: Halt, work: Promise<void>): Promise<void> {
  if (street.isService && halt.kind !== 'crash') await settled(work)
  else await within(time, LAST_MS, settled(work))
}

/** How to complain: read from the words, for the words may be what is wrong. */
function manner(program: Command, words: readonly string[]) {
  const asked = words.join(' ')
  const isJson = /(^| )(-o ?|--output[ =])json( |$)/.test(asked)
  const command = program.commands.find((one) => one.name() === words[0])?.name() ?? ''
  return { output: isJson ? 'json' : 'table', verbose: words.includes('--verbose'), command }
}

function versionOf({ home }: Origin): string {
  return JSON.parse(readFileSync(new URL('package.json', home), 'utf8')).version
}
