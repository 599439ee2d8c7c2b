// What a run waits for: the next attempt of an effect, a timer, an event.
// Promise: pure; no guard is asked, so where one has its word that is told.
import { parentOf } from '../lib/address.ts'
import { accepted } from '../lib/blueprint.ts'
import { isTimeout } from '../lib/machine-cadence.ts'
import type { Timer } from '../lib/rest.ts'
import { span, when } from '../lib/span.ts'
import { wake } from '../lib/wake.ts'
import type { CaseRun } from './casefile.ts'
import type { Clue } from './explanations.ts'
import { effortsOf, type Trials } from './memory.ts'
import { attemptsOf, type Where } from './whereabouts.ts'

/** Effects that wait for their next attempt, or say how far they are. */
export function triesOf(run: CaseRun, where: Where, nowMs: number): Clue[] {
  return effortsOf(run.tries as Trials | null).flatMap((effort): Clue[] => {
    const { effect, attempt, notBefore, progress } = effort
    const most = attemptsOf(where, effect)
    const told: Clue[] =
      progress === undefined
        ? []
        : [
            {
              code: 'progress',
              text: `told how far effect ${effect} is: ${JSON.stringify(progress)?.slice(0, 200)}.`,
            },
          ]
    if (notBefore === null || notBefore <= nowMs) return told
    const at = when(notBefore, nowMs)
    if (attempt === 1) {
      return [
        ...told,
        {
          code: 'again',
          text: `runs effect ${effect} again at ${at}, as that asked for.`,
          at: notBefore,
        },
      ]
    }
    const last = run.failure ? ` The last error: ${named(run.failure)}.` : ''
    const of = most === null ? '' : ` of ${most}`
    return [
      ...told,
      {
        code: 'retry',
        text: `makes attempt ${attempt}${of} of effect ${effect} at ${at}.${last}`,
        at: notBefore,
      },
    ]
  })
}

/** Timers, children and events: what may come. */
export function awaitsOf(run: CaseRun, { rest, definition }: Where, nowMs: number): Clue[] {
  if (!rest || !definition) return []
  const [timer] = [...rest.timers].sort((a, b) => a.dueAt - b.dueAt)
  const events = accepted(wake(definition.machine, rest) as never)
  const heard = events.map(
    ({ event, state, isGuarded }) =>
      `${event} (in ${state}${isGuarded ? ', if its guard allows' : ''})`,
  )
  const orEvent = heard.length === 0 ? '' : ` These events would move it too: ${heard.join(', ')}.`
  const isRoot = parentOf(run.task) === null
  const sends = isRoot
    ? events.filter(({ event }) => !event.includes('*')).map(({ event }) => `send @ ${event}`)
    : []
  const clues: Clue[] = []
  if (timer) {
    const text = `waits in state ${run.state} for ${timerText(timer)}, due at ${when(timer.dueAt, nowMs)}.${orEvent}`
    clues.push({ code: 'timer', text, at: timer.dueAt, actions: sends })
  }
  if (heard.length > 0) {
    const text = `waits in state ${run.state} for an event: ${heard.join(', ')}.`
    clues.push({ code: 'event', text, actions: sends })
  }
  if (clues.length === 0 && !rest.actors.some(({ ended }) => !ended)) {
    const text = `rests in state ${run.state}, where no timer, no event and no effect can move it.`
    clues.push({ code: 'nothing', text, actions: ['stop @'] })
  }
  return clues
}

export const named = ({
  class: name,
  code,
  message,
}: {
  class: string
  code: string | null
  message: string
}) => `${code ?? name}: ${message}`
/** `xstate.after.5000.lamp.off` is `after 5 s`. */
function timerText({ id, event }: Timer): string {
  if (isTimeout(id)) return 'its time to be up'
  const [, delay = ''] = /^xstate\.after\.([^.]+)\./.exec(id) ?? []
  if (/^\d+$/.test(delay)) return `its timer of ${span(Number(delay))}`
  return delay === '' ? `its timer ${event.type}` : `its timer ${delay}`
}
