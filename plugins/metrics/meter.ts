// The meter: what the table declares, counted. The only prom-client door.
// Promise: a registry of its own, never the global one; past so many label sets of one metric, all others are one.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import {
  type CounterName,
  type GaugeName,
  type HistogramName,
  type LabelsOf,
  METRICS,
  type Metric,
  type MetricName,
} from './table.ts'

/** What stands for every label once there are too many, and for a name that is none. */
const OTHER = 'other'
/** No address, no path, no text of several lines. */
const NAME = /^[^/@?=&\p{C}]{1,120}$/u
const SEPARATOR = '\n'

type Labels = Readonly<Record<string, string>>

export class Meter {
  readonly #registry = new Registry()
  readonly #metrics = new Map<string, Counter | Gauge | Histogram>()
  readonly #seen = new Map<string, Map<string, Labels>>()
  readonly #most: number
  #hasDefaults = false

  /** @param most the label sets of one metric */
  constructor(most: number) {
    this.#most = most
    for (const [name, metric] of Object.entries(METRICS)) {
      this.#metrics.set(name, made(name, metric, this.#registry))
      this.#seen.set(name, new Map())
    }
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** Adds what Node says of this process. Once is enough. */
  addDefaults(): void {
    if (!this.#hasDefaults) collectDefaultMetrics({ register: this.#registry })
    this.#hasDefaults = true
  }

  count<N extends CounterName>(name: N, labels: LabelsOf<N>, by = 1): void {
    ;(this.#metrics.get(name) as Counter).inc(this.#bounded(name, labels), by)
  }

  observe<N extends HistogramName>(name: N, labels: LabelsOf<N>, value: number): void {
    ;(this.#metrics.get(name) as Histogram).observe(this.#bounded(name, labels), value)
  }

  set<N extends GaugeName>(name: N, labels: LabelsOf<N>, value: number): void {
    ;(this.#metrics.get(name) as Gauge).set(this.#bounded(name, labels), value)
  }

  /** Nothing is known: no value at all, rather than an old one or a zero. */
  forget(name: GaugeName): void {
    const gauge = this.#metrics.get(name) as Gauge
    if (METRICS[name].labels.length > 0) gauge.reset()
    else gauge.remove()
  }

  /** Everything in the text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  /** The labels a value goes under; the same object for the same labels. */
  #bounded(name: MetricName, labels: Labels): Labels {
    const names = METRICS[name].labels
    if (names.length === 0) return {}
    const key = names.map((label) => labels[label]).join(SEPARATOR)
    const seen = this.#seen.get(name)!
    const known = seen.get(key)
    if (known) return known
    if (seen.size >= this.#most) return each(names, () => OTHER)
    const tame = each(names, (label) => (NAME.test(labels[label]!) ? labels[label]! : OTHER))
    // What was tamed is not remembered: it would fill the memory that the taming is to save.
    if (names.every((label) => tame[label] === labels[label])) seen.set(key, tame)
    return tame
  }
}

const each = (names: readonly string[], say: (label: string) => string): Labels =>
  Object.fromEntries(names.map((label) => [label, say(label)]))

function made(name: string, { type, help, labels, buckets = [] }: Metric, registry: Registry) {
  const common = { name, help, labelNames: labels, registers: [registry] }
  if (type === 'counter') return new Counter(common)
  if (type === 'gauge') return new Gauge(common)
  return new Histogram({ ...common, buckets: [...buckets] })
}
