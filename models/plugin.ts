// A plugin: a removable habit of the house, on the public contract; built-in ones get no other door.
// Promise: a plugin that throws is an event, not a lost tick; plugins meet through events and verbs only.
import type { Config } from '../lib/config.ts'
import type { Lease, Queue, Ticker, Verdict } from '../lib/contract.ts'
import type { Database, Migration } from '../lib/database.ts'
import { asError } from '../lib/errors.ts'
import type { EventName, Events, EventTable } from '../lib/events.ts'
import type { Time } from '../lib/time.ts'
import type { ResourceClass } from './handle.ts'
import type { Notices } from './notices.ts'
import type { Registry } from './registry.ts'

/** What a duty works with. */
export interface Premises {
  readonly events: Events
  readonly time: Time
  readonly config: Config
  readonly database: Database
  readonly queue: Pick<Queue, 'depth'>
  /** All queues by their names, that one among them. */
  readonly queues: ReadonlyMap<string, Pick<Queue, 'depth'>>
  readonly notices: Notices
  readonly registry: Registry
}

/** Where a duty begins. */
export type Place = 'clock' | 'worker'

/** Something that goes on until it is stopped. */
export interface Duty {
  stop(): Promise<void>
}

export interface Plugin {
  readonly name: string
  /** Kinds of resources it brings. */
  readonly resources?: readonly ResourceClass[]
  /** Tables it brings; run after the house's own. */
  readonly migrations?: readonly Migration[]
  /** Looks at the kinds of the app before it opens. @throws what does not fit */
  check?(registry: Registry): void
  /** What it listens to; '*' hears everything. */
  readonly on?: { readonly [N in EventName]?: (payload: EventTable[N], name: N) => void } & {
    readonly '*'?: (payload: object, name: EventName) => void
  }
  /**
   * Work beside the house: begun with the clock or the worker of a process, ended with it. Whoever does it in many
   * processes at once shares it out by rows.
   */
  duty?(premises: Premises, place: Place): Duty | null
  /** Wraps every tick; call `next` once and answer what it answers. */
  around?(resourceId: string, next: () => Promise<Verdict>): Promise<Verdict>
}

/** Asks plugins whether they fit the kinds of an app. @throws what the first has against it */
export function fit(plugins: readonly Plugin[], registry: Registry): void {
  for (const plugin of plugins) plugin.check?.(registry)
}

/** Lets plugins listen. Returns the undo. */
export function attach(plugins: readonly Plugin[], events: Events): () => void {
  const undos = plugins.flatMap(({ on = {} }) =>
    Object.entries(on).map(([name, listener]) => events.on(name as '*', listener as never)),
  )
  return () => {
    for (const undo of undos) undo()
  }
}

/** A ticker whose ticks go through the plugins' wrappers, the first plugin outermost. */
export function wrapped(ticker: Ticker, plugins: readonly Plugin[], events: Events): Ticker {
  const tick = plugins.reduceRight(
    (inner, plugin) => (plugin.around ? around(plugin, inner, events) : inner),
    (resourceId: string, lease: Lease, queue?: string) => ticker.tick(resourceId, lease, queue),
  )
  return {
    tick,
    dueNow: (id) => ticker.dueNow(id),
    nudge: (id, issuedAt) => ticker.nudge(id, issuedAt),
  }
}

/** The tick happens once and its outcome counts, whatever the wrapper does before, after or instead. */
function around(plugin: Plugin, inner: Ticker['tick'], events: Events): Ticker['tick'] {
  return async (resourceId, lease, queue) => {
    let ticked: Promise<Verdict> | undefined
    const next = () => {
      ticked ??= inner(resourceId, lease, queue)
      return ticked
    }
    try {
      await plugin.around?.(resourceId, next)
    } catch (thrown) {
      const isOurs =
        ticked !== undefined &&
        (await ticked.then(
          () => false,
          () => true,
        ))
      if (!isOurs) events.emit('plugin.failed', { plugin: plugin.name, error: asError(thrown) })
    }
    return next()
  }
}
