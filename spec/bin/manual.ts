// The part of docs/cli.md that lists commands and options, written from the tree of commands itself.
// Promise: says what the command line declares, no more and no less. `npx tsx spec/bin/manual.ts`
// writes it into the page; cli.spec.ts compares.
import { readFileSync, writeFileSync } from 'node:fs'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Command, Option } from 'commander'
import { buildProgram } from '../../bin/program.ts'
import { table } from '../support/documents.ts'

export const PAGE = 'docs/cli.md'
const MARK = '<!-- Written by `npx tsx spec/bin/manual.ts`; change the commands in bin. -->'

/** The page with its last part as the commands are now; what stands before the mark is kept. */
export function withManual(page: string): string {
  const [prose = ''] = page.split(MARK)
  return `${prose}${MARK}\n\n${manual(buildProgram({} as never, '0'))}`
}

/** Every command that does something, parents left out. */
function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves)
}

/** Global options, then a paragraph for each command. */
export function manual(program: Command): string {
  const paragraphs = leaves(program).map((command) => {
    const own = table([['option', 'meaning'], ...command.options.map(row)])
    const listed = command.options.length === 0 ? [] : [own.join('\n'), '']
    const what = `${capital(command.description())}.`
    return [`### \`${titleOf(command)}\``, '', what, '', ...listed].join('\n')
  })
  const all = table([
    ['option', 'meaning'],
    ...program.createHelp().visibleOptions(program).map(row),
  ])
  return ['### Every command', '', ...all, '', ...paragraphs].join('\n')
}

function titleOf(command: Command): string {
  const names: string[] = []
  for (let at: Command | null = command; at; at = at.parent) names.unshift(at.name())
  const words = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? '...' : ''}`
    return argument.required ? `<${name}>` : `[${name}]`
  })
  return [...names, ...words].join(' ')
}

function row({ flags, description, argChoices, defaultValue, mandatory }: Option): string[] {
  const notes = [
    argChoices && `one of ${argChoices.map((one) => `\`${one}\``).join(', ')}`,
    defaultValue !== undefined && `\`${defaultValue}\` unless told`,
    mandatory && 'required',
  ].filter(Boolean)
  return [`\`${flags}\``, [description, ...notes].join('; ')]
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

if (argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(PAGE, withManual(readFileSync(PAGE, 'utf8')))
}
