// `escapement machines`: listed, checked, drawn.
// Promise: needs the app file alone; no database is opened, and nothing is changed. What stops an app
// from loading stops none of these, so `lint` tells everything at once.
import type { Command } from 'commander'
import { fault } from '../../lib/errors.ts'
import { graphOf } from '../../lib/graph.ts'
import { type Finding, lint } from '../../lib/lint.ts'
import { mermaidOf } from '../../lib/mermaid.ts'
import { LIFE, type TaskDefinition } from '../../models/kind.ts'
import { Registry } from '../../models/registry.ts'
import { type Door, doing, type Globals } from '../door.ts'
import { table } from '../print.ts'

interface Strict extends Globals {
  readonly strict?: boolean
}

export function machinesCommands(program: Command, door: Door): void {
  const machines = program.command('machines').description('machines of the app')
  const list = machines
    .command('list [kind.task]')
    .description('list the machines of the app, of a kind, or one')
  doing(list, ([wanted], options) => show(door, options, wanted))
  const check = machines
    .command('lint [kind.task]')
    .description('check the machines of the app, of a kind, or one; errors end it with status 1')
    .option('--strict', 'end with status 1 for warnings too')
  doing<Strict>(check, ([wanted], options) => told(door, options, wanted))
  const graph = machines
    .command('graph <kind.task>')
    .description('draw a machine as a Mermaid state diagram, or with -o json as nodes and edges')
  doing(graph, ([wanted], options) => drawn(door, options, wanted))
}

/** The machines a word means: all, those of a KIND, or KIND.TASK. @throws RESOURCE_KIND_UNKNOWN, TASK_UNKNOWN */
async function chosen(door: Door, options: Globals, word?: string): Promise<TaskDefinition[]> {
  const { definition } = await door.load(options)
  const { resources, plugins = [] } = definition
  const brought = plugins.flatMap(({ resources: more = [] }) => more)
  const registry = new Registry([...resources, ...brought], { faulty: 'kept' })
  const [name, task, more] = word?.split('.') ?? []
  if (more !== undefined || task === '') {
    const reason = 'a machine is written KIND.TASK'
    throw fault('ARGUMENT_INVALID', { what: `"${word}"`, reason })
  }
  const kinds = name === undefined ? registry.kinds : [registry.find(name)]
  if (task !== undefined) return kinds.map((kind) => kind.task(task))
  return kinds.flatMap((kind) => [...kind.taskNames, LIFE].map((each) => kind.task(each)))
}

async function show(door: Door, options: Globals, wanted?: string): Promise<void> {
  const found = await chosen(door, options, wanted)
  const values = found.map(({ kind, name, machine, version, states, events }) => ({
    ...{ kind, task: name, machine: machine.id, version, states, events },
  }))
  const isWide = options.output === 'wide'
  const some = (names: readonly string[]) => (isWide ? names.join(', ') : names.length)
  door.show(options, values, () =>
    table(
      ['task', 'machine', 'version', 'states', 'events'],
      values.map(({ kind, task, machine, version, states, events }) => [
        ...[`${kind}.${task}`, machine, version, some(states), some(events)],
      ]),
    ),
  )
}

async function told(door: Door, options: Strict, wanted?: string): Promise<void> {
  const chosenOnes = await chosen(door, options, wanted)
  const findings = chosenOnes.flatMap(({ kind, name, machine }) =>
    lint(machine).map((finding) => ({ kind, task: name, ...finding })),
  )
  const counted = (wantedOnes: Finding['severity']) =>
    findings.filter(({ severity }) => severity === wantedOnes).length
  const [errors, warnings] = [counted('error'), counted('warning')]
  const [machines, found] = [chosenOnes.length, `errors: ${errors}, warnings: ${warnings}`]
  door.show(options, findings, () => `${listed(findings)}Machines: ${machines}, ${found}.\n`)
  if (errors === 0 && (warnings === 0 || !options.strict)) return
  throw fault('MACHINES_FAULTY', { errors, warnings, machines })
}

type Told = Finding & { readonly kind: string; readonly task: string }

const listed = (findings: readonly Told[]): string => {
  const rows = findings.map(({ kind, task, severity, rule, path, problem, wayOut }) => [
    ...[severity, rule, `${kind}.${task}`, path, `${problem}; ${wayOut}`],
  ])
  const lines = table(['severity', 'rule', 'task', 'state', 'what'], rows)
  return lines === '' ? '' : `${lines}\n`
}

async function drawn(door: Door, options: Globals, wanted: string): Promise<void> {
  if (!wanted.includes('.')) {
    const reason = 'a machine is written KIND.TASK'
    throw fault('ARGUMENT_INVALID', { what: `"${wanted}"`, reason })
  }
  const [found] = await chosen(door, options, wanted)
  const { kind, name, machine } = found as TaskDefinition
  const graph = graphOf(machine)
  door.show(options, { kind, task: name, ...graph }, () => mermaidOf(graph))
}
