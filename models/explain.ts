// Why does it not move? One answer, and the evidence.
// Promise: reads only, and from one moment; the most telling of what was found is the answer.
import { rootOf } from '../lib/address.ts'
import type { Sealer } from '../lib/codec.ts'
import type { Knex } from '../lib/database.ts'
import { fault } from '../lib/errors.ts'
import { masked } from '../lib/mask.ts'
import { when } from '../lib/span.ts'
import type { Time } from '../lib/time.ts'
import { type CaseFile, type CaseRun, readCase } from './casefile.ts'
import { ANSWERS, type AnswerCode, byWeight, type Clue, type Explanation } from './explanations.ts'
import { alarmClue, Findings, heldBy } from './findings.ts'
import { type Kind, LIFE } from './kind.ts'
import { DELETING } from './life.ts'
import { repeatedBy, repeaterOf } from './repeater.ts'

export interface ExplainerParts {
  readonly knex: Knex
  readonly sealer: Sealer
  readonly time: Time
  /** The queue whose workers and clocks count for kinds that name none. */
  readonly queue: string
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** States of a resource that does not run and is not about to. */
const AT_REST = ['__new__', '__stop__', 'stopping', DELETING]
const MOST_EVIDENCE = 50

export class Explainer {
  readonly #parts: ExplainerParts

  constructor(parts: ExplainerParts) {
    this.#parts = parts
  }

  /**
   * Says why a task does not move; of a resource without a task, the most telling of its tasks.
   * @throws RESOURCE_UNKNOWN, TASK_UNKNOWN
   */
  async explain(kind: Kind, id: string, task: string | null): Promise<Explanation> {
    const { knex, time, sealer } = this.#parts
    const { queue = this.#parts.queue } = kind.route
    const names = task === null ? null : kind.namesOf(task)
    const unknown = () => fault('RESOURCE_UNKNOWN', { kind: kind.name, id })
    if (!UUID.test(id)) throw unknown()
    const asked = { id, names, queue, nowMs: time.now() }
    const file = await readCase(knex, asked, (runs) => scopesOf(kind, id, queue, runs))
    if (!file.resource && !file.tombstone) throw unknown()
    if (file.resource && !kind.names.includes(file.resource.kind)) throw unknown()
    const findings = new Findings(file, kind, sealer)
    const subject = chosen(file, kind, names, findings)
    const name = task ?? (subject ? kind.today(subject.task) : null)
    const clues = [...(subject ? findings.of(subject) : []), ...around(file, kind, name, subject)]
    return written(kind, id, name, clues.sort(byWeight))
  }
}

/** The run to speak of: the one asked about, or the most telling of those that live. */
function chosen(
  { runs }: CaseFile,
  kind: Kind,
  names: readonly string[] | null,
  findings: Findings,
): CaseRun | null {
  const mine = names ? runs.filter(({ task }) => names.includes(task)) : runs
  const live = mine.filter(({ finishedAt }) => finishedAt === null)
  if (names || live.length === 0) return live[0] ?? mine[0] ?? null
  const isHouse = ({ task }: CaseRun) =>
    kind.today(rootOf(task)) === LIFE || repeatedBy(rootOf(task)) !== null
  const weighed = live.map((run) => ({ run, clue: findings.of(run).sort(byWeight)[0] }))
  const rank = ({ run, clue }: (typeof weighed)[number]) => {
    // What the house itself waits for is no answer while something of the user's is there to speak of.
    const isIdle = isHouse(run) && ['event', 'timer'].includes(clue?.code ?? '')
    return [isIdle ? 1 : 0, clue] as const
  }
  weighed.sort((a, b) => {
    const [[one, clue], [two, other]] = [rank(a), rank(b)]
    return one - two || (clue && other ? byWeight(clue, other) : 0)
  })
  return weighed[0]?.run ?? null
}

/** What the resource, its parent and the house have to do with it. */
function around(file: CaseFile, kind: Kind, task: string | null, run: CaseRun | null): Clue[] {
  const { resource, tombstone, nowMs, alive, alarms, runs } = file
  if (!resource) {
    const { actor = '', reason = null, at = nowMs } = tombstone ?? {}
    const why = reason === null ? '' : `, because: ${reason}`
    return [{ code: 'gone', text: `was deleted by ${actor} at ${when(at, nowMs)}${why}.`, at }]
  }
  const clues: Clue[] = alarms.map((alarm) => alarmClue(alarm, nowMs))
  const isLive = run !== null && run.finishedAt === null
  const { state, parent, children, owner, fence, claimedAt, worker } = resource
  if (!isLive) clues.push(...ended(file, kind, task, run))
  if (state === DELETING) {
    const others = runs.filter((one) => one.finishedAt === null && rootOf(one.task) !== LIFE).length
    const text = `is part of a resource that is being deleted: ${children} resources belong to it, ${others} tasks run.`
    clues.push({ code: 'deleting', text, actions: [`explain #`] })
  } else if (AT_REST.includes(state)) {
    const text = `belongs to a resource that does not run: it is ${state}.`
    clues.push({ code: isLive ? 'life' : 'not_running', text, actions: isLive ? [] : ['start #'] })
  }
  if (parent && AT_REST.includes(parent.state) && parent.state !== '__new__') {
    const text = `belongs beneath ${parent.kind}/${parent.id}, which is ${parent.state}.`
    clues.push({ code: isLive ? 'parent' : 'parent_leaving', text })
  }
  if (owner !== null && claimedAt !== null) {
    const known = worker && ` (process ${worker.pid} on ${worker.host})`
    const life = worker ? (worker.isAlive ? ', is alive' : ', is not alive') : ''
    const text = `was claimed by ${owner}${known ?? ''}${life}, at ${when(claimedAt, nowMs)}, fence ${fence}.`
    clues.push({ code: 'lease', text, at: claimedAt })
  }
  const ofQueue = kind.route.queue === undefined ? '' : ` of queue ${file.queue}`
  if (ofQueue) {
    const many = alive.worker === 1 ? 'one worker serves' : `${alive.worker} workers serve`
    clues.push({
      code: 'queue',
      text: `travels on queue ${file.queue}, which ${alive.worker === 0 ? 'no worker serves' : many}.`,
    })
  }
  const missing = [alive.worker === 0 && 'worker', alive.clock === 0 && 'clock'].filter(Boolean)
  if (missing.length > 0) {
    clues.push({
      code: 'staff',
      text: `cannot count on a ${missing.join(' or a ')}: none${ofQueue} is alive.`,
    })
  }
  return clues
}

/** Why there is no live run. */
function ended(file: CaseFile, kind: Kind, task: string | null, run: CaseRun | null): Clue[] {
  const { nowMs, runs } = file
  const clues: Clue[] = []
  const every = task !== null && kind.has(task) ? repeaterOf(kind.today(task)) : null
  const schedule = runs.find((one) => one.finishedAt === null && kind.today(one.task) === every)
  if (schedule?.dueAt) {
    const text = `does not run now; its schedule starts it at ${when(schedule.dueAt, nowMs)}.`
    clues.push({ code: 'scheduled', text, at: schedule.dueAt })
  }
  const isUsers = task === null || repeatedBy(rootOf(task)) === null
  const actions = isUsers ? [task === null || task === LIFE ? 'start #' : 'start @'] : []
  if (!run) return [...clues, { code: 'never_started', text: 'was never started.', actions }]
  const { status, last, finishedAt } = run
  const at = finishedAt ?? last.at
  const said = {
    done: `came to its end at ${when(at, nowMs)}.`,
    stopped: `was stopped by ${last.actor} at ${when(at, nowMs)}${last.reason ? `, because: ${last.reason}` : ''}.`,
    failed: `failed at ${when(at, nowMs)}${run.failure ? `: ${run.failure.message}` : ''}.`,
  }
  const code = (status in said ? status : 'done') as keyof typeof said
  return [...clues, { code, text: said[code], at, actions }]
}

function scopesOf(kind: Kind, id: string, queue: string, runs: readonly CaseRun[]): string[] {
  const roots = new Set(runs.map(({ task }) => kind.today(rootOf(task))))
  const needed = runs.flatMap(({ failure }) => (failure?.dependency ? [failure.dependency] : []))
  const named = runs.flatMap((run) => heldBy(run))
  return [
    `resource:${id}`,
    `queue:${queue}`,
    ...[...roots].map((task) => `task:${kind.name}.${task}`),
    ...new Set([...needed.map((name) => `dependency:${name}`), ...named]),
  ]
}

function written(kind: Kind, id: string, task: string | null, clues: readonly Clue[]): Explanation {
  const [answer] = clues
  const who = `${kind.name}/${id}`
  const subject = task === null ? who : `${task} of ${who}`
  const code = answer && answer.code in ANSWERS ? (answer.code as AnswerCode) : 'nothing'
  const evidence = clues
    .slice(0, MOST_EVIDENCE)
    .map(({ actions: _, text, ...finding }) => ({ ...finding, text: masked(text) }))
  const commands = clues.filter((clue) => clue.code === code).flatMap(({ actions = [] }) => actions)
  return {
    ...{ kind: kind.name, id, task, code },
    sentence: `${subject} ${masked(answer?.text ?? 'rests.')}`,
    evidence,
    actions: [...new Set(commands.map((command) => commandOf(command, who, task)))],
  }
}

/** `#` is the resource, `@` the resource and its task. */
function commandOf(command: string, who: string, task: string | null): string {
  const target = task === null ? who : `${who} ${task}`
  return `escapement ${command.replace('@', target).replace('#', who)}`
}
