// Complaining: whatever was thrown, as the end of a command.
// Promise: one sentence, what to do about it, a code and an exit status; a stack only when asked for.
import type { CommanderError } from 'commander'
import { asError, EscapementError, EXIT, fault } from '../lib/errors.ts'
import { masked } from '../lib/mask.ts'
import { json, sentence } from './print.ts'

export interface Complaint {
  readonly text: string
  readonly exit: number
}

/** @param options.output `json` for one object on one line */
export function complain(
  thrown: unknown,
  options: { output: string; verbose: boolean; command: string },
): Complaint {
  const error = known(thrown, options.command)
  const { message, code, todo, exit } = error
  const stack = options.verbose ? stackOf(thrown) : ''
  if (options.output === 'json') {
    const said = { code, message: sentence(message), todo, ...(stack && { stack }) }
    return { text: `${json({ error: said }, 0)}\n`, exit }
  }
  return { text: `error: ${sentence(message)}\n  ${sentence(todo)} [${code}]\n${stack}`, exit }
}

interface Known {
  readonly message: string
  readonly code: string
  readonly todo: string
  readonly exit: number
}

const REPEAT = 'If the sentence does not tell enough, repeat the command with --verbose.'

function known(thrown: unknown, command: string): Known {
  if (thrown instanceof EscapementError) return thrown
  const error = asError(thrown) as Error & { code?: unknown }
  if (isUsage(error)) return usage(error, command)
  const message = error.message || error.name
  const code = typeof error.code === 'string' ? error.code : 'UNEXPECTED'
  return { message, code, todo: REPEAT, exit: EXIT.failed }
}

export const isUsage = (error: unknown): error is CommanderError =>
  error instanceof Error && String((error as CommanderError).code).startsWith('commander.')

function usage({ code, message }: CommanderError, command: string): Known {
  const problem = message
    .replace(/^error: /, '')
    .replace(/\n\(Did you mean ([^)]*)\)$/, ' (did you mean $1)')
    .replace(/\.$/, '')
  const isAlone = code === 'commander.help'
  return fault('COMMAND_INVALID', {
    problem: isAlone ? `"${command}" needs another word after it` : problem,
    command: command ? `${command} ` : '',
  })
}

/** The stack, and the stacks of its causes. */
function stackOf(thrown: unknown): string {
  const stacks: string[] = []
  for (let at: unknown = thrown; at instanceof Error && stacks.length < 5; at = at.cause) {
    stacks.push(
      `${masked(at.stack ?? '')
        .split('\n')
        .map(sentence)
        .join('\n')}\n`,
    )
  }
  return stacks.join('caused by ')
}
