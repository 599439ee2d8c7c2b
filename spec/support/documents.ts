// The pages of docs/ that are written by the code itself.
// Promise: docs/errors.md and docs/events.md say what lib/errors.ts and lib/events.ts declare, no
// more and no less. `npx tsx spec/support/documents.ts` writes them; house.spec.ts compares.
import { readFileSync, writeFileSync } from 'node:fs'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { ERRORS, EXIT } from '../../lib/errors.ts'
import { nodesOf, parse } from './syntax.ts'

/** A page: where it lives and what it must say. */
export interface Page {
  readonly path: string
  readonly text: string
}

/** The pages as the code would have them now. */
export const pages = (): Page[] => [
  { path: 'docs/errors.md', text: errorsPage(ERRORS) },
  { path: 'docs/events.md', text: eventsPage(readFileSync('lib/events.ts', 'utf8')) },
]

type Errors = Readonly<Record<string, { sentence: string; todo: string; exit: number }>>

/** The page of a table of errors. */
export function errorsPage(errors: Errors): string {
  const nameOf = new Map<number, string>(Object.entries(EXIT).map(([name, code]) => [code, name]))
  const rows = Object.entries(errors).map(([code, { exit, sentence, todo }]) => [
    `\`${code}\``,
    `${exit} ${nameOf.get(exit)}`,
    sentence,
    todo,
  ])
  return page(
    'Errors',
    'Everything that can go wrong: the code, the exit status of the command line, the sentence, and what to do.',
    [['code', 'exit', 'sentence', 'what to do'], ...rows],
  )
}

/** The page of the `EventTable` declared in a text. */
export function eventsPage(text: string): string {
  const rows = eventsIn(text).map(({ name, payload }) => [`\`${name}\``, `\`${payload}\``])
  return page(
    'Events',
    'Everything that can happen: the name, and what listeners are told. Listen with `events.on(name, listener)`.',
    [['name', 'payload'], ...rows],
  )
}

/** Names and payloads of the events declared in a text, in order, each payload on one line. */
export function eventsIn(text: string): { name: string; payload: string }[] {
  const file = parse('lib/events.ts', text)
  const table = nodesOf(file).find(
    (node): node is ts.InterfaceDeclaration =>
      ts.isInterfaceDeclaration(node) && node.name.text === 'EventTable',
  )
  if (!table) throw new Error('lib/events.ts declares no EventTable')
  return table.members.filter(ts.isPropertySignature).map((member) => ({
    name: ts.isStringLiteral(member.name) ? member.name.text : member.name.getText(file),
    payload: payloadOf(member.type!, file),
  }))
}

function payloadOf(type: ts.TypeNode, file: ts.SourceFile): string {
  if (!ts.isTypeLiteralNode(type)) {
    const text = type.getText(file).replace(/\s+/g, ' ')
    return text === 'Record<never, never>' ? '{}' : text
  }
  const members = type.members.map((member) =>
    member.getText(file).replace(/\s+/g, ' ').replace(/[;,]$/, ''),
  )
  return `{ ${members.join('; ')} }`
}

function page(title: string, intro: string, rows: readonly string[][]): string {
  const origin = '<!-- Written by `npx tsx spec/support/documents.ts`; change the table in lib. -->'
  return [`# ${title}`, '', origin, '', intro, '', ...table(rows), ''].join('\n')
}

/** A Markdown table with its columns lined up, as the formatter wants it; the first row is the head. */
export function table(rows: readonly string[][]): string[] {
  const cells = rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|')))
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  const [head, ...body] = cells.map(line)
  return [head!, line(widths.map((width) => '-'.repeat(width))), ...body]
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  for (const { path, text } of pages()) writeFileSync(path, text)
}
