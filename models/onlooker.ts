// An onlooker: a resource that can be looked at and nothing else, for conditions.
// Promise: what it is asked to change is refused at once, with a sentence.
import { fault } from '../lib/errors.ts'
import type { Backing } from './handle.ts'
import type { Kind } from './kind.ts'
import type { Verbs } from './verbs.ts'

/** What is seen of a resource. */
export interface Seen {
  readonly kind: Kind
  readonly resourceId: string
  readonly parentId: string | null
  readonly state: string
  read(name: string): unknown
}

const refuse = (): never => {
  const reason = 'it may look at the fields and the state of its resource only'
  throw fault('ARGUMENT_INVALID', { what: 'A condition', reason })
}

const NO_VERBS: Verbs = {
  get requests(): never {
    return refuse()
  },
  ...{ start: refuse, stop: refuse, stopAll: refuse, send: refuse, rewind: refuse },
  ...{ retry: refuse, pause: refuse, resume: refuse, status: refuse, schedule: refuse },
  ...{ goto: refuse, unpark: refuse, climb: refuse, signal: refuse, notify: refuse },
  ...{ snapshot: refuse, explain: refuse, waitFor: refuse, on: refuse },
  ...{ delete: refuse, remove: refuse, report: refuse, row: refuse, remains: refuse },
  ...{ hold: refuse, release: refuse },
}

/** The resource as a condition sees it. */
export function onlooker({ resourceId: id, kind, parentId, state, read }: Seen): Backing {
  return {
    ...{ id, kind, parentId, state, read },
    get availability() {
      return refuse()
    },
    verbs: NO_VERBS,
    write: refuse,
    save: refuse,
    reload: refuse,
    createChild: refuse,
    children: refuse,
    offspring: refuse,
  }
}
