// A kind: one class of resources as the house knows it, checked once when the app loads.
// Promise: a definition that could fail later for a reason visible now is refused now, with its path.

import { EXIT, rootOf } from '../lib/address.ts'
import { actorLogic, eventNames, isMachine, stateNames, takes } from '../lib/blueprint.ts'
import { asError, fault } from '../lib/errors.ts'
import { lint } from '../lib/lint.ts'
import type { AnyStateMachine } from '../lib/machine.ts'
import { withCadence } from '../lib/machine-cadence.ts'
import type { Labels } from '../lib/notice.ts'
import type { ExitRule, NewRun, Origin } from '../lib/unit.ts'
import { labelsOf, type Rule, rulesOf } from './alarm-rule.ts'
import { CLIMBER, climber } from './climber.ts'
import { type Declaration, declared, type TaskOptions, task as withOptions } from './declared.ts'
import { exitFault, exitRules, exitsIn, lifeFault, lifeOf } from './exits.ts'
import { FieldSet } from './fields.ts'
import { Names } from './names.ts'
import { type Quota, quotaOf } from './quota.ts'
import { repeatedBy, repeater, repeaterOf } from './repeater.ts'
import { RESERVED } from './reserved.ts'
import { inherited, ownMethod, type ResourceShape, type Route, routeOf, tenantOf } from './shape.ts'
import { type Terms, termsOf } from './terms.ts'

/** A task as declared: a named machine on a kind of resource. */
export interface TaskDefinition {
  readonly kind: string
  readonly name: string
  readonly machine: AnyStateMachine
  readonly version: string
  readonly states: readonly string[]
  readonly events: readonly string[]
  readonly options: TaskOptions
  readonly terms: Terms
  /** Why the stored run cannot be held by this program, when that is known before it is read. */
  readonly stranded?: Error
}

/** What becomes of machines in which `lint` finds errors: `kept` is for who tells them all. */
export interface KindOptions {
  readonly faulty?: 'refused' | 'kept'
}

/** The reserved name of the task that runs a resource's life cycle. */
export const LIFE = 'life'

const NAME = /^[A-Za-z][A-Za-z0-9_]{0,59}$/

export class Kind {
  readonly name: string
  readonly shape: ResourceShape
  readonly fields: FieldSet
  /** The name, and all it had before. */
  readonly names: readonly string[]
  /** The tasks that repeat, those that have conditions, those whose finished runs are removed. */
  readonly schedules: readonly TaskDefinition[]
  readonly conditional: readonly TaskDefinition[]
  readonly collected: readonly TaskDefinition[]
  /** Alarms that open and close by themselves. */
  readonly rules: readonly Rule[]
  /** What its alarms and notices are labelled with. */
  readonly labels: Labels
  /** Has it something to say when a task of it, or of a resource that belongs to it, panics? */
  readonly handlesPanics: boolean
  /** The field that names the tenant of a resource. */
  readonly tenant: string | null
  /** What each of its resources may use in a period. */
  readonly quota: Quota | null
  /** The queue its tickets travel on, if it names one. */
  readonly route: Route
  readonly #tasks: ReadonlyMap<string, TaskDefinition>
  readonly #names: Names
  readonly #exits: readonly ExitRule[]

  /** @throws NAME_INVALID, NAME_TAKEN, MACHINE_INVALID, RULE_INVALID */
  constructor(shape: ResourceShape, { faulty = 'refused' }: KindOptions = {}) {
    this.shape = shape
    this.name = shape.kind ?? shape.name
    if (!NAME.test(this.name))
      throw fault('NAME_INVALID', { name: this.name, what: 'resource type', kind: 'the app' })
    const fields = inherited(shape, 'fields')
    const tasks = inherited(shape, 'tasks')
    for (const name of Object.keys(fields)) this.#checkName(name, 'field', {})
    for (const name of Object.keys(tasks)) this.#checkName(name, 'task', fields)
    this.names = [this.name, ...(Object.hasOwn(shape, 'was') ? (shape.was ?? []) : [])]
    this.fields = new FieldSet(this.name, fields)
    this.rules = rulesOf(this.name, inherited(shape, 'alarms'))
    this.labels = labelsOf(this.name, inherited(shape, 'labels'))
    this.handlesPanics = ownMethod(shape.prototype, 'onPanic')
    this.tenant = tenantOf(this.name, shape, this.fields)
    this.quota = quotaOf(this.name, shape.quota)
    this.route = routeOf(this.name, shape)
    const named = Object.entries(tasks).map(([name, one]) => this.#define(name, one, faulty))
    this.#exits = named.flatMap(({ name, options }) =>
      [name, ...(options.was ?? [])].flatMap((one) => exitRules(one, options)),
    )
    const life = this.#define(LIFE, lifeOf(shape, this.#exits), faulty)
    const why = lifeFault(shape)
    if (why) throw this.#invalid(LIFE, 'its root', why)
    const defined = [...named, life]
    this.schedules = defined.filter(({ terms }) => terms.cadence)
    this.conditional = defined.filter(({ options }) => options.shouldStart ?? options.shouldStop)
    this.collected = defined.filter(({ terms }) => terms.gc)
    // What is left of a schedule that was taken away has to end, so that every task has its repeater.
    const repeaters = defined.map(({ name, terms }) =>
      this.#define(repeaterOf(name), withOptions(repeater(name, terms.cadence)), faulty),
    )
    const house = this.handlesPanics ? [this.#define(CLIMBER, climber, faulty)] : []
    this.#tasks = new Map([...defined, ...repeaters, ...house].map((task) => [task.name, task]))
    this.#names = new Names(
      defined.map(({ name, options }) => [name, options.was ?? []]),
      (name, why) => fault('NAME_TAKEN', { kind: this.name, what: 'task', name, why }),
    )
  }

  /** The tasks a user declared; the life task is not among them, nor are those of the house. */
  get taskNames(): string[] {
    return [...this.#tasks.keys()].filter((name) => name !== LIFE && !name.includes('.'))
  }

  /** Does the house have anything of its own to add to commits of this kind? */
  get hasReflexes(): boolean {
    return this.schedules.length + this.conditional.length > 0
  }

  /** The name of today of a task or of one spawned by it. */
  today(task: string): string {
    const root = rootOf(task)
    const repeated = repeatedBy(root)
    const name =
      repeated === null ? this.#names.today(root) : repeaterOf(this.#names.today(repeated))
    return name + task.slice(root.length)
  }

  /** The name of a task, and all it had before. @throws TASK_UNKNOWN */
  namesOf(task: string): string[] {
    if (task.includes('/')) return [this.runName(task)]
    const { name } = this.task(task)
    const repeated = repeatedBy(name)
    return repeated === null ? this.#names.all(name) : this.#names.all(repeated).map(repeaterOf)
  }

  has(task: string): boolean {
    return this.#tasks.has(this.today(task))
  }

  /** @throws TASK_UNKNOWN */
  task(name: string): TaskDefinition {
    const found = this.#tasks.get(this.today(name))
    if (!found && name.includes('/') && this.has(rootOf(name))) {
      const reason = `a machine of ${rootOf(name)} has spawned it: it is written to and stopped through that`
      throw fault('ARGUMENT_INVALID', { what: `The task "${name}"`, reason })
    }
    if (!found)
      throw fault('TASK_UNKNOWN', {
        kind: this.name,
        task: name,
        known: this.taskNames.join(', ') || 'none',
      })
    return found
  }

  /** The name of a run: a task's, or that of an actor in its tree. @throws TASK_UNKNOWN */
  runName(name: string): string {
    this.task(rootOf(name))
    return name
  }

  /** How the clock treats the runs of a task, and of what it has spawned. */
  laneOf(task: string): Pick<NewRun, 'rank' | 'tenant'> {
    const { rank } = this.task(rootOf(task)).terms
    return { rank, ...(this.tenant !== null && { tenant: this.tenant }) }
  }

  /** Which runs of a task, and of what it has spawned, have an exit machine; of every task for null. */
  exitsOf(task: string | null): readonly ExitRule[] {
    const root = task === null ? null : rootOf(task)
    if (root === null) return this.#exits
    const names = this.#exits.length === 0 ? [] : this.namesOf(root)
    return this.#exits.filter((one) => names.includes(one.task))
  }

  /**
   * What a stored run runs: a task as declared, or an actor one of them has spawned.
   * @returns null when the task is not known here at all
   * @throws STATE_STRANDED when the task is known, and has no such actor any more
   */
  run(task: string, origin: Origin | null): TaskDefinition | null {
    const root = this.#tasks.get(this.today(rootOf(task)))
    if (!root || !origin) return root ?? null
    let { machine } = root
    let options: Pick<TaskOptions, 'migrate' | 'exit'> = root.options
    for (const src of origin.src) {
      const logic = src === EXIT ? options.exit : actorLogic(machine, src)
      if (!isMachine(logic)) {
        const reason =
          src === EXIT
            ? 'it has no exit machine any more'
            : `its machine has no actor "${src}" any more`
        throw fault('STATE_STRANDED', { task, version: root.version, reason })
      }
      machine = withCadence(logic)
      options = src === EXIT ? {} : (root.options.actors?.[src] ?? {})
    }
    return {
      ...root,
      options,
      name: task,
      machine,
      version: machine.version ?? '1',
      states: stateNames(machine),
      events: eventNames(machine),
    }
  }

  /** Has the machine that spawned this run a transition for the event? */
  hears(task: string, { src, ...origin }: Origin, event: string): boolean {
    const parent = this.run(task, { ...origin, src: src.slice(0, -1) })
    return parent !== null && takes(parent.machine, event)
  }

  #checkName(name: string, what: string, others: object): void {
    if (!NAME.test(name)) throw fault('NAME_INVALID', { name, what, kind: this.name })
    const why = RESERVED.has(name)
      ? 'a word of the house'
      : Object.hasOwn(others, name)
        ? 'already a field'
        : null
    if (why) throw fault('NAME_TAKEN', { kind: this.name, what, name, why })
    if (ownMethod(this.shape.prototype, name)) {
      throw fault('NAME_TAKEN', {
        kind: this.name,
        what,
        name,
        why: 'already a member of the class',
      })
    }
  }

  #invalid(task: string, path: string, reason: string): Error {
    return fault('MACHINE_INVALID', { kind: this.name, task, path, reason })
  }

  #define(name: string, declaration: Declaration, faulty: 'refused' | 'kept'): TaskDefinition {
    const invalid = (path: string, reason: string) => this.#invalid(name, path, reason)
    const options = declared(declaration)
    if (!options) {
      throw invalid(
        'its root',
        'it is not an XState machine; use setup(…).createMachine(…) or steps({…})',
      )
    }
    const { machine } = options
    const error = errorIn(machine)
    if (error && faulty === 'refused') throw invalid(...error)
    for (const { path, machine: exit } of exitsIn(options)) {
      const why = exitFault(exit)
      if (why) throw invalid(path, why)
      const [where, what] = errorIn(exit) ?? []
      if (where && what && faulty === 'refused') throw invalid(`${path} > ${where}`, what)
    }
    return {
      kind: this.name,
      name,
      machine: error ? machine : withCadence(machine),
      version: machine.version ?? '1',
      states: stateNames(machine),
      events: eventNames(machine),
      options,
      terms: this.#terms(name, options, stateNames(machine)),
    }
  }

  #terms(name: string, options: TaskOptions, states: readonly string[]): Terms {
    try {
      if (
        name === LIFE &&
        (options.every ?? options.shouldStart ?? options.shouldStop ?? options.gc)
      )
        throw new Error('a life cannot repeat, have conditions or be removed')
      return termsOf(options, states)
    } catch (thrown) {
      const reason = asError(thrown).message
      throw fault('MACHINE_INVALID', { kind: this.name, task: name, path: 'its options', reason })
    }
  }
}

/** The first error the lint finds: where, and what to do. */
function errorIn(machine: AnyStateMachine): [path: string, reason: string] | null {
  const found = lint(machine).find(({ severity }) => severity === 'error')
  return found ? [found.path, `${found.problem}; ${found.wayOut}`] : null
}
