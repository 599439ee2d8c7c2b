// Metrics: what happens, as numbers that Prometheus collects at /metrics.
// Promise: one server for a process, begun with the first of its clock and worker and ended with the last; what it
// cannot do is one sentence on the bus, and costs no tick.
import { fault } from '../lib/errors.ts'
import type { Duty, Place, Plugin, Premises } from '../models/index.ts'
import { ears } from './metrics/ears.ts'
import { Gauges } from './metrics/gauges.ts'
import { Meter } from './metrics/meter.ts'
import { type Server, serve } from './metrics/server.ts'

export interface MetricsOptions {
  /** Default 9464; 0 takes any that is free. */
  readonly port?: number
  /** Default 127.0.0.1: nobody but this machine. */
  readonly host?: string
  /** Label sets of one metric; what comes later is counted as `other`. Default 1,000. */
  readonly mostSeries?: number
}

/** The plugin, and what it shows, for whoever has a server already. */
export interface Metrics extends Plugin {
  /** Where it is served at this moment. */
  readonly url: string | null
  /** What `/metrics` shows. */
  text(): Promise<string>
}

const PORT = 9_464
const HOST = '127.0.0.1'
const MOST_SERIES = 1_000
const MOST_PORT = 65_535
const NAME = 'metrics'

/**
 * A plugin that counts what it hears, and shows it at `/metrics`; `/healthz` says that the process lives.
 * @throws METRICS_UNBOUND for a port that is none
 */
export function metrics(options: MetricsOptions = {}): Metrics {
  const { port = PORT, host = HOST, mostSeries = MOST_SERIES } = options
  if (!Number.isInteger(port) || port < 0 || port > MOST_PORT) {
    throw fault('METRICS_UNBOUND', { host, port, reason: `a port is 0 to ${MOST_PORT}` })
  }
  const office = new Office({ port, host }, new Meter(mostSeries))
  return {
    name: NAME,
    on: ears(office.meter),
    duty: (premises, place) => office.begin(premises, place),
    text: () => office.text(),
    get url() {
      return office.url
    },
  }
}

/** What a process has once, whoever works in it. */
class Office {
  readonly meter: Meter
  url: string | null = null
  readonly #at: { readonly port: number; readonly host: string }
  readonly #places = new Map<symbol, Place>()
  #gauges: Gauges | null = null
  /** Opening and closing follow one another. */
  #server: Promise<Server | null> = Promise.resolve(null)

  constructor(at: { readonly port: number; readonly host: string }, meter: Meter) {
    this.#at = at
    this.meter = meter
  }

  begin(premises: Premises, place: Place): Duty {
    const key = Symbol(place)
    this.#places.set(key, place)
    if (this.#places.size === 1) this.#open(premises)
    return {
      stop: async () => {
        const isLast = this.#places.delete(key) && this.#places.size === 0
        if (isLast) await this.#close()
      },
    }
  }

  async text(): Promise<string> {
    await this.#gauges?.read()
    return this.meter.text()
  }

  #open(premises: Premises): void {
    this.meter.addDefaults()
    this.#gauges = new Gauges(this.meter, premises)
    this.#server = this.#server.then(async () => {
      try {
        return await this.#listen()
      } catch (thrown) {
        const error = fault('METRICS_UNBOUND', { ...this.#at, reason: reasonOf(thrown) }, thrown)
        premises.events.emit('plugin.failed', { plugin: NAME, error })
        return null
      }
    })
  }

  async #listen(): Promise<Server> {
    const server = await serve(this.#at, {
      '/metrics': async () => ({ type: this.meter.contentType, text: await this.text() }),
      '/healthz': async () => ({ type: 'application/json', text: this.#health() }),
    })
    const { host } = this.#at
    this.url = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`
    return server
  }

  #close(): Promise<unknown> {
    this.#gauges?.end()
    this.#gauges = null
    this.#server = this.#server.then(async (server) => {
      this.url = null
      await server?.close()
      return null
    })
    return this.#server
  }

  #health(): string {
    const places = [...new Set(this.#places.values())].sort()
    return `${JSON.stringify({ status: 'ok', places })}\n`
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EACCES: 'this user may not use the port',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'nobody knows this host',
}

function reasonOf(thrown: unknown): string {
  const { code = 'unknown' } = thrown as { code?: string }
  return REASONS[code] ?? `the system says ${code}`
}
