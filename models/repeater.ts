// The repeater: the house's own task beside a task with `every`, which starts its runs.
// Promise: a slot is taken and its run started in one commit, so that it has one run, whatever crashes and however
// many look; the plan is the context of a run like any other, so it is found by its due entry and has a history.
import { assign, setup } from 'xstate'
import { effect } from '../lib/effect.ts'
import type { AnyStateMachine } from '../lib/machine.ts'
import { type Cadence, firstPlan, type Plan, resumed, take } from './cadence.ts'

/** The name of the task that repeats another. No task of a user can have it. */
export const repeaterOf = (task: string): string => `${task}.every`
const SUFFIX = '.every'
/** The task that is repeated by this one; null when it repeats none. */
export const repeatedBy = (name: string): string | null =>
  name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : null

/** What tells it that a run has ended. */
export const ENDED = 'RUN.ENDED'

/** After so many looks it ends and begins anew, so that no history grows without end. */
const MOST_TAKEN = 500

interface Context {
  readonly plan: Plan | null
  readonly waitMs: number
}
interface Answer extends Context {
  readonly isOver: boolean
}

/**
 * The machine that repeats a task.
 * @param cadence null for a task that does not repeat any more: what is left of its schedule ends
 */
export function repeater(task: string, cadence: Cadence | null): AnyStateMachine {
  const policy = { retry: { attempts: 1_000, backoff: '1s..1m' } }
  const look = effect(async (work) => (cadence ? taken(work, task, cadence) : OVER), policy)
  return setup({
    types: {} as { context: Context; events: { type: typeof ENDED } },
    actors: { look },
    delays: { untilNext: ({ context }: { context: Context }) => context.waitMs },
    guards: {
      isOver: ({ event }) => (event as any).output.isOver,
      isWaiting: ({ context }) => (context.plan?.backlog.length ?? 0) > 0,
    },
    actions: { keep: assign(({ event }) => kept((event as any).output)), hear: () => {} },
  }).createMachine({
    id: 'every',
    context: { plan: null, waitMs: 0 },
    initial: 'taking',
    states: {
      taking: {
        invoke: {
          id: 'look',
          src: 'look',
          input: ({ context }: { context: Context }) => context.plan,
          onDone: [
            { guard: 'isOver', target: 'over', actions: 'keep' },
            { target: 'waiting', actions: 'keep' },
          ],
        },
        on: { [ENDED]: { target: 'taking', reenter: true } },
      },
      waiting: {
        after: { untilNext: 'taking' },
        on: { [ENDED]: [{ guard: 'isWaiting', target: 'taking' }, { actions: 'hear' }] },
      },
      over: { type: 'final' },
    },
  }) as unknown as AnyStateMachine
}

const OVER: Answer = { plan: null, waitMs: 0, isOver: true }
const kept = ({ plan, waitMs }: Answer): Context => ({ plan, waitMs })

/** One look: what is due is taken, and its run started with the commit of this very effect. */
async function taken(
  { resource, input, now, note }: any,
  task: string,
  cadence: Cadence,
): Promise<Answer> {
  const handle = resource[task]
  const offsetMs = spread(resource.id, cadence.jitterMs)
  const nowMs = now() - offsetMs
  const plan: Plan = input ?? (await begun(handle, cadence, { nowMs, firstMs: now() }))
  const live = await handle.status()
  const decision = take(plan, cadence, nowMs, live !== null && live.finishedAt === null)
  const { start, replaces, passed } = decision
  if (start !== null) {
    const reason = `every ${cadence.every}, slot ${new Date(start).toISOString()}`
    if (replaces) await handle.stop({ reason: `${reason}: replaced` })
    await handle.start({ slot: start }, { reason })
    note(reason)
  }
  if (passed > 0) note(`${passed} slot${passed > 1 ? 's' : ''} passed without a run`)
  const waitMs = Math.max(0, decision.plan.next + offsetMs - now())
  return { plan: decision.plan, waitMs, isOver: decision.plan.taken >= MOST_TAKEN }
}

/** The schedule goes on where an earlier run of it ended or was stopped, or begins now. */
async function begun(
  handle: any,
  cadence: Cadence,
  { nowMs, firstMs }: { nowMs: number; firstMs: number },
): Promise<Plan> {
  const last: { plan: Plan; isDone: boolean } | null = await handle.schedule()
  if (!last) return firstPlan(firstMs)
  return last.isDone ? { ...last.plan, taken: 0 } : resumed(last.plan, cadence, nowMs)
}

/** The same distance for the same resource, and another for the next one. */
function spread(id: string, jitterMs: number): number {
  if (jitterMs === 0) return 0
  let hash = 2_166_136_261
  for (const letter of id) hash = Math.imul(hash ^ letter.charCodeAt(0), 16_777_619) >>> 0
  return hash % jitterMs
}
