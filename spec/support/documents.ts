// The pages of docs/ that are written by the code itself.
// Promise: docs/errors.md, docs/events.md and docs/metrics.md say what lib/errors.ts, lib/events.ts and
// plugins/metrics/table.ts declare, no more and no less. `npx tsx spec/support/documents.ts` writes them; house.spec.ts compares.
import { readFileSync, writeFileSync } from 'node:fs'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { ERRORS, EXIT } from '../../lib/errors.ts'
import { METRICS, type Metric } from '../../plugins/metrics/table.ts'
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
  { path: 'docs/metrics.md', text: metricsPage(METRICS) },
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

const METRICS_INTRO = `The plugin \`metrics\` counts what it hears on the bus and shows it to Prometheus at \`/metrics\`; \`/healthz\` says that
the process lives, and what works in it.

\`\`\`ts no-run
import { defineApp, metrics } from 'escapement'

export default defineApp({ resources: [], plugins: [metrics({ port: 9464, host: '127.0.0.1' })] })
\`\`\`

One process serves one port; two on one machine need two. A port that cannot be had is told as \`plugin.failed\`, and
everything else goes on. Where there is a server already, show there what \`metrics().text()\` answers. Whoever reaches the
port reads the numbers: there are no passwords, so let only the network of Prometheus reach it.

* What is of a **process** is known to that process alone: add it up over all of them. What is of the **house** is asked
  of the database or the queue when somebody looks, at most every 3 s, and every process says the same: take the \`max\`.
* A question that has no answer within 2 s leaves its metrics out, rather than showing old values.
* Labels are names declared in code and words of this page, never ids and never messages. The effect of an attempt is the
  name of its code, and runs that a machine has spawned count as their task. Past 1,000 label sets of one metric
  (\`mostSeries\`), the rest is counted as \`other\`.
* Beside these there are the metrics of the process and of Node that every \`prom-client\` shows: \`process_*\`, \`nodejs_*\`.

[examples/monitoring](../examples/monitoring/README.md) has a dashboard and alert rules for them.`

/** The page of a table of metrics. */
export function metricsPage(metrics: Readonly<Record<string, Metric>>): string {
  const rows = Object.entries(metrics).map(([name, { type, of, labels, help }]) => [
    `\`${name}\``,
    type,
    of,
    labels.map((label) => `\`${label}\``).join(', '),
    help,
  ])
  const head = ['metric', 'type', 'of', 'labels', 'meaning']
  return page('Metrics', METRICS_INTRO, [head, ...rows], 'plugins/metrics')
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

function page(title: string, intro: string, rows: readonly string[][], source = 'lib'): string {
  const origin = `<!-- Written by \`npx tsx spec/support/documents.ts\`; change the table in ${source}. -->`
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
