// Whereabouts: where a stored run rests, for the definition that runs now, and what goes on there.
// Promise: never throws; what cannot be held is told as trouble.
import { actorLogic } from '../lib/blueprint.ts'
import type { Sealer } from '../lib/codec.ts'
import { runnableOf } from '../lib/effect.ts'
import { asError } from '../lib/errors.ts'
import { effectsOf, type Rest } from '../lib/rest.ts'
import type { CaseRun } from './casefile.ts'
import type { Kind, TaskDefinition } from './kind.ts'
import { awaken, effortsOf, type Trials } from './memory.ts'

/** Where a run rests, for the definition that runs now. */
export interface Where {
  readonly rest: Rest | null
  readonly definition: TaskDefinition | null
  readonly trouble: Error | null
}

export const NOWHERE: Where = { rest: null, definition: null, trouble: null }

export function whereIs(run: CaseRun, kind: Kind | null, sealer: Sealer): Where {
  try {
    const definition = kind?.run(run.task, run.origin) ?? null
    if (!definition || run.snapshot === null) return { rest: null, definition, trouble: null }
    const stored = { ...run, machineVersion: run.machineVersion } as never
    return { ...awaken(stored, definition, sealer), definition, trouble: null }
  } catch (thrown) {
    return { rest: null, definition: null, trouble: asError(thrown) }
  }
}

/** What runs, and in whose hands. */
export function workText(run: CaseRun, { rest }: Where, owner: string, since: string): string {
  const effects = rest ? effectsOf(rest) : []
  const efforts = effortsOf(run.tries as Trials | null)
  const names = effects.map(({ id }) => {
    const attempt = efforts.find(({ effect }) => effect === id)?.attempt ?? 1
    return attempt === 1 ? id : `${id} (attempt ${attempt})`
  })
  const what =
    names.length === 0 ? 'is in the hands of' : `runs ${names.join(', ')}: it is in the hands of`
  return `${what} ${owner}, who claimed its resource at ${since}.`
}

/** How many attempts an effect has; null when that is not known. */
export function attemptsOf({ rest, definition }: Where, effect: string): number | null {
  const actor = rest?.actors.find(({ id, keyId }) => id === effect || keyId === effect)
  const runnable = actor && definition && runnableOf(actorLogic(definition.machine, actor.src))
  return runnable ? runnable.policy.attempts : null
}
