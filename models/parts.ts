// What a tick is made of: everything the rooms from resource to machine are handed. Types only.
import type { Sealer } from '../lib/codec.ts'
import type { Ticket } from '../lib/contract.ts'
import type { Events } from '../lib/events.ts'
import type { Porter } from '../lib/porter.ts'
import type { Routing } from '../lib/routes.ts'
import type { Store } from '../lib/store.ts'
import type { Time } from '../lib/time.ts'
import type { Breakers } from './breakers.ts'
import type { Many, Resource, ResourceClass } from './handle.ts'
import type { Committed } from './outbox.ts'
import type { Registry } from './registry.ts'
import type { RequestParts } from './requests.ts'
import type { Presence } from './roster.ts'
import type { Verbs } from './verbs.ts'

export interface TickParts {
  readonly store: Pick<Store, 'claim' | 'look' | 'commit' | 'dueNow' | 'finished'>
  readonly time: Time
  readonly events: Events
  readonly registry: Registry
  readonly sealer: Sealer
  readonly requests: RequestParts
  readonly desk: Committed
  /** Pushes tickets; does not throw, for the clock covers what is lost. */
  push(tickets: readonly Ticket[]): Promise<void>
  /** Something of this resource falls due at that moment; a hint that may be forgotten. */
  soon(resourceId: string, dueAt: number, queue?: string): void
  /** The name of this worker in leases and history. */
  readonly owner: string
  /** What the processes at work know of each other. */
  readonly presence: Presence
  /** Which kinds travel on which queue; without it all on one. */
  readonly routing?: Pick<Routing, 'queueOf'>
  /** How much one tick may do before others get their turn. */
  readonly quota: { readonly steps: number; readonly ms: number }
  /** How often a round that lasts looks whether something came due that nobody told it of. */
  readonly lookMs: number
  /** When breakers shut; without these nothing is counted. */
  readonly breakers?: Breakers
  /** Whom to ask for a trial; without it whoever asks passes. */
  readonly porter?: Pick<
    Porter,
    'probe' | 'queue' | 'enter' | 'leave' | 'callIn' | 'charge' | 'untold'
  >
  children(shape: ResourceClass, parentId: string, verbs: Verbs): Many<any>
  offspring(parentId: string, verbs: Verbs): Promise<Resource[]>
}
