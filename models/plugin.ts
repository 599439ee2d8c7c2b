// A plugin: a removable habit of the house, on the public contract; built-in ones get no other door.
// Promise: a plugin that throws is an event, not a lost tick; plugins meet through events and verbs only.
import type { Lease, Ticker, Verdict } from '../lib/contract.ts'
import type { Migration } from '../lib/database.ts'
import { asError } from '../lib/errors.ts'
import type { EventName, Events, EventTable } from '../lib/events.ts'
import type { ResourceClass } from './handle.ts'

export interface Plugin {
  readonly name: string
  /** Kinds of resources it brings. */
  readonly resources?: readonly ResourceClass[]
  /** Tables it brings; run after the house's own. */
  readonly migrations?: readonly Migration[]
  /** What it listens to; '*' hears everything. */
  readonly on?: { readonly [N in EventName]?: (payload: EventTable[N], name: N) => void } & {
    readonly '*'?: (payload: object, name: EventName) => void
  }
  /** Wraps every tick; call `next` once and answer what it answers. */
  around?(resourceId: string, next: () => Promise<Verdict>): Promise<Verdict>
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
    (resourceId: string, lease: Lease) => ticker.tick(resourceId, lease),
  )
  return { tick, dueNow: (id) => ticker.dueNow(id), nudge: (id) => ticker.nudge(id) }
}

/** The tick happens once and its outcome counts, whatever the wrapper does before, after or instead. */
function around(plugin: Plugin, inner: Ticker['tick'], events: Events): Ticker['tick'] {
  return async (resourceId, lease) => {
    let ticked: Promise<Verdict> | undefined
    const next = () => {
      ticked ??= inner(resourceId, lease)
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
