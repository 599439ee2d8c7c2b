// The routing: which kinds travel on which queue, and which queues the worker of this process serves.
// Promise: a kind has one queue, so a resource has; a queue nobody travels on is refused when the app opens.
import { distance } from 'fastest-levenshtein'
import type { Config } from '../lib/config.ts'
import { fault } from '../lib/errors.ts'
import type { Routing } from '../lib/routes.ts'
import type { Registry } from './registry.ts'

export class KindRouting implements Routing {
  readonly byDefault: string
  readonly names: readonly string[]
  /** The queues a worker of this process serves, with how many places each. */
  readonly served: ReadonlyMap<string, number>
  readonly #registry: Registry

  /** @throws CONFIG_INVALID for a queue to be served that no class is on */
  constructor(config: Pick<Config, 'queue' | 'queues' | 'concurrency'>, registry: Registry) {
    this.byDefault = config.queue
    this.#registry = registry
    const named = registry.kinds.map(({ route }) => route.queue ?? config.queue)
    this.names = [...new Set([config.queue, ...named])]
    const served =
      config.queues ?? Object.fromEntries(this.names.map((n) => [n, config.concurrency]))
    for (const name of Object.keys(served))
      if (!this.names.includes(name)) throw this.#unknown(name)
    this.served = new Map(Object.entries(served))
  }

  queueOf(kind: string): string {
    const found = this.#registry.has(kind) ? this.#registry.find(kind) : null
    return found?.route.queue ?? this.byDefault
  }

  kindsOf(queue: string): readonly string[] {
    const kinds = this.#registry.kinds.filter(({ name }) => this.queueOf(name) === queue)
    return kinds.flatMap(({ names }) => names)
  }

  #unknown(name: string): Error {
    const near = [...this.names].sort((a, b) => distance(a, name) - distance(b, name))
    const problems = `ESCAPEMENT_QUEUES names "${name}", and no class is on it; there is ${near.join(', ')}`
    return fault('CONFIG_INVALID', { problems })
  }
}
