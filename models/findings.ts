// Findings: what a case file says of one run, each in a few words.
// Promise: pure; whatever is stored, it answers; nothing of a context, a field or a payload is told.
import { parentOf, rootOf } from '../lib/address.ts'
import type { Sealer } from '../lib/codec.ts'
import { HELD } from '../lib/latch.ts'
import { type Actor, effectsOf } from '../lib/rest.ts'
import { IN_LINE } from '../lib/slots.ts'
import { when } from '../lib/span.ts'
import { LIVES } from '../lib/strike.ts'
import { USED_UP } from './allowance.ts'
import { awaitsOf, named, triesOf } from './awaited.ts'
import type { CaseAlarm, CaseFile, CaseHold, CaseRun } from './casefile.ts'
import { byWeight, type Clue } from './explanations.ts'
import type { Kind } from './kind.ts'
import { SUSPECT, UNKNOWN_HERE } from './turns.ts'
import { NOWHERE, type Where, whereIs, workText } from './whereabouts.ts'

export class Findings {
  readonly #file: CaseFile
  readonly #kind: Kind | null
  readonly #sealer: Sealer

  constructor(file: CaseFile, kind: Kind | null, sealer: Sealer) {
    this.#file = file
    this.#kind = kind
    this.#sealer = sealer
  }

  /** All there is to say of a live run, in no order. */
  of(run: CaseRun): Clue[] {
    const where = run.status === 'running' ? whereIs(run, this.#kind, this.#sealer) : NOWHERE
    return [
      ...this.#parked(run),
      ...(run.status === 'running' ? this.#running(run, where) : []),
      ...this.#beside(run),
    ]
  }

  #parked(run: CaseRun): Clue[] {
    const { status, last, failure, step } = run
    const { nowMs } = this.#file
    switch (status) {
      case 'panicked': {
        const isPoison = failure?.code === 'TASK_POISONOUS'
        const why = failure ? `: ${named(failure)}` : last.reason ? `: ${last.reason}` : ''
        const todo = failure?.playbook ? ` What to do: ${failure.playbook}` : ''
        const what = isPoison ? 'is parked as poison' : `is parked by a panic at step ${step}`
        const text = `${what} since ${when(last.at, nowMs)}${why}.${todo}`
        const code = isPoison ? 'poisonous' : 'panicked'
        return [{ code, text, at: last.at, actions: ['retry @', 'rewind @ --steps 1', 'stop @'] }]
      }
      case 'stranded': {
        const text = `is stranded since ${when(last.at, nowMs)}: ${failure?.message ?? last.reason}`
        return [{ code: 'stranded', text, at: last.at, actions: ['retry @', 'stop @'] }]
      }
      case 'paused': {
        const text = `was paused by ${last.actor} at ${when(last.at, nowMs)}${because(last.reason)}.`
        return [{ code: 'paused', text, at: last.at, actions: ['resume @'] }]
      }
      case 'stopping': {
        const exit = this.#file.runs.find(({ task }) => parentOf(task) === run.task)
        const how = exit ? `, which is ${exit.status} in state ${exit.state}` : ''
        const text = `is being stopped since ${when(run.movedAt, nowMs)}; its exit machine is not done${how}.`
        return [{ code: 'stopping', text, at: run.movedAt, actions: ['stop @ --force', 'retry @'] }]
      }
      default:
        return []
    }
  }

  #running(run: CaseRun, where: Where): Clue[] {
    const clues = [...this.#holds(run, where), ...this.#due(run, where)]
    if (where.trouble) {
      const text = `cannot go on from where it rests: ${where.trouble.message}`
      return [...clues, { code: 'stranded', text, actions: ['machines lint'] }]
    }
    const { nowMs } = this.#file
    const children = where.rest?.actors.filter(({ kind, ended }) => kind === 'task' && !ended) ?? []
    return [
      ...clues,
      ...triesOf(run, where, nowMs),
      ...children.map((child) => this.#child(child)),
      ...awaitsOf(run, where, nowMs),
    ]
  }

  #holds(run: CaseRun, { rest }: Where): Clue[] {
    const { holds, nowMs } = this.#file
    const isCalling = rest !== null && effectsOf(rest).length > 0
    return holds
      .filter((hold) => isAbout(hold, this.#kind, run, isCalling))
      .map((hold) => {
        const { scope, by, actor, reason, since, until, state } = hold
        const end = until === null ? 'until somebody lets it go' : `until ${when(until, nowMs)}`
        const tail = `since ${when(since, nowMs)}, ${end}${because(reason)}.`
        const trial =
          state === 'trial' ? ' One attempt is let through to see whether it works again.' : ''
        const said = {
          pause: { code: 'held', text: `is held: ${actor} paused ${nameOf(scope)} ${tail}` },
          breaker: {
            code: 'breaker',
            text: `is held by the breaker of ${nameOf(scope)} ${tail}${trial}`,
          },
          limit: {
            code: 'limit',
            text: `is held: ${nameOf(scope)} asked not to be called ${tail}`,
          },
        } as const
        const actions = [lettingGo(hold, this.#kind?.route.queue)]
        return { ...said[by], at: since, actions }
      })
  }

  /** What stands between a due task and its turn. */
  #due(run: CaseRun, where: Where): Clue[] {
    const { dueAt, dueReason, isInHand } = run
    const { nowMs, resource, alive, ahead } = this.#file
    if (dueReason?.startsWith(IN_LINE)) return [lineClue(dueReason.slice(IN_LINE.length))]
    if (dueAt === null) return []
    if (dueReason?.startsWith(USED_UP) && dueAt > nowMs) {
      const text = `has used its ${dueReason.slice(USED_UP.length)}; it goes on at ${when(dueAt, nowMs)}.`
      return [{ code: 'quota', text, at: dueAt }]
    }
    if (dueReason === UNKNOWN_HERE) {
      const text = `is known to no worker that looked; it is shown to them again at ${when(dueAt, nowMs)}.`
      return [{ code: 'unknown_here', text, at: dueAt, actions: ['worker'] }]
    }
    if (dueReason === SUSPECT) {
      const text = `waits to be run apart at ${when(dueAt, nowMs)}: ${strikesOf(run)}.`
      return [{ code: 'suspect', text, at: dueAt }]
    }
    if (dueAt > nowMs) return []
    const owner = resource?.owner
    const since = when(resource?.claimedAt ?? nowMs, nowMs)
    if (isInHand && owner && resource?.worker?.isAlive === false) {
      const text = `was in the hands of ${owner}, who is not alive any more; another worker takes it over as soon as its lock runs out.`
      return [{ code: 'orphaned', text, at: dueAt, actions: alive.worker === 0 ? ['worker'] : [] }]
    }
    if (isInHand && owner)
      return [{ code: 'working', text: workText(run, where, owner, since), at: dueAt }]
    const late = `is due since ${when(dueAt, nowMs)}`
    if (alive.worker === 0)
      return [
        {
          code: 'no_worker',
          text: `${late}, and no worker of queue ${this.#file.queue} is alive${others(alive)}.`,
          at: dueAt,
          actions: ['worker'],
        },
      ]
    const other = this.#file.runs.find((one) => one.isInHand)
    if (other && owner)
      return [
        {
          code: 'busy',
          text: `${late}; ${owner} has its resource in hand for ${other.task} since ${since}.`,
          at: dueAt,
        },
      ]
    if (alive.clock === 0)
      return [
        {
          code: 'no_clock',
          text: `${late}, and no clock is alive to find it.`,
          at: dueAt,
          actions: ['clock'],
        },
      ]
    const before =
      ahead === 0 ? 'nothing was due before it' : `${ahead} other resources were due before it`
    return [{ code: 'late', text: `${late}; it waits for a worker, and ${before}.`, at: dueAt }]
  }

  #child({ address: { task } }: Actor): Clue {
    const child = this.#file.runs.find((run) => run.task === task)
    if (!child) return { code: 'child', text: `waits for its child ${task}.` }
    const [first] = this.of(child).sort(byWeight)
    return { code: 'child', text: `waits for its child ${task}, which ${first?.text ?? 'rests.'}` }
  }

  /** What is told whatever the answer is. */
  #beside(run: CaseRun): Clue[] {
    const { nowMs } = this.#file
    const { state, step, movedAt, strikes, mailbox, failure, alarms, status } = run
    const clues: Clue[] = []
    clues.push({
      code: 'resting',
      text: `is ${status} in state ${state} at step ${step} since ${when(movedAt, nowMs)}.`,
      at: movedAt,
    })
    if (strikes > 0)
      clues.push({ code: 'strikes', text: `${strikesOf(run)}; after ${LIVES} it is parked.` })
    if (failure)
      clues.push({
        code: 'failure',
        text: `failed at ${when(failure.at, nowMs)}, attempt ${failure.attempt}: ${named(failure)}.`,
        at: failure.at,
      })
    if (mailbox > 0)
      clues.push({ code: 'mailbox', text: `has ${mailbox} events waiting in its mailbox.` })
    return [...clues, ...alarms.map((alarm) => alarmClue(alarm, nowMs))]
  }
}

export function alarmClue(
  { name, state, severity, message, owner, at }: CaseAlarm,
  nowMs: number,
): Clue {
  const by = owner === null ? '' : ` by ${owner}`
  const text = `has an alarm ${name} (${severity}), ${state}${by}, opened ${when(at, nowMs)}: ${message}`
  return { code: 'alarm', text, at }
}

/** It waits for a slot of a key: `run:KIND.TASK:KEY` or `rate:KIND.TASK:KEY`. */
function lineClue(key: string): Clue {
  const [what = '', ...name] = key.split(':')
  const how = what === 'rate' ? 'as many began within the period' : 'as many are in hand'
  const text = `waits in line: ${how} as the limit of ${name.join(':')} allows; the longest waiting is called in first.`
  return { code: 'in_line', text }
}

/** Those who serve other queues only. */
const others = ({ any: count }: { readonly any: number }) =>
  count === 0 ? '' : `; ${count === 1 ? 'one serves' : `${count} serve`} others`

const because = (reason: string | null) => (reason === null ? '' : `, because: ${reason}`)
const strikesOf = ({ strikes, struckBy }: CaseRun) =>
  `${strikes === 1 ? 'a process' : `${strikes} processes`} died while this was in hand (${struckBy.join(', ')})`

/** The scopes whose holds put the run off, by its due entry. */
export const heldBy = ({ dueReason }: CaseRun): string[] =>
  dueReason?.startsWith(HELD) ? dueReason.slice(HELD.length).split(' ') : []

/** Does this hold keep the run from going on? Of what it calls, its due entry knows, or what failed last. */
function isAbout({ scope }: CaseHold, kind: Kind | null, run: CaseRun, isCalling: boolean) {
  if (scope.startsWith('dependency:')) {
    const isNext = isCalling && scope === `dependency:${run.failure?.dependency}`
    return isNext || heldBy(run).includes(scope)
  }
  if (!scope.startsWith('task:')) return true
  return scope === `task:${kind?.name}.${kind?.today(rootOf(run.task))}`
}

function nameOf(scope: string): string {
  const [what, name] = [scope.slice(0, scope.indexOf(':')), scope.slice(scope.indexOf(':') + 1)]
  if (what === 'resource') return 'its resource'
  return what === 'task' ? `all tasks ${name}` : `${what} ${name}`
}

/** The command that lets it go. */
function lettingGo({ scope, by }: CaseHold, queue?: string): string {
  const [what, name] = [scope.slice(0, scope.indexOf(':')), scope.slice(scope.indexOf(':') + 1)]
  if (by !== 'pause') return `breakers open ${name}`
  if (what === 'resource') return 'resume #'
  return what === 'queue' && name !== queue ? 'resume --queue' : `resume --${what} ${name}`
}
