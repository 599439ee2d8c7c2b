// A workload: what is measured, in which configurations; types only.
import type { Figures } from '../protocol.ts'
import type { Track } from '../race.ts'
import type { Flush } from '../servers.ts'
import type { System } from '../systems.ts'

/** How much of everything. */
export interface Extent {
  readonly isQuick: boolean
  /** Instead of the sizes of the workloads. */
  readonly instances: number | null
}

export interface Configuration {
  /** `n=1000 concurrency=50`. */
  readonly name: string
  readonly flush: Flush
  /** What one system takes for one run, in seconds, on two cores, warmed as if quick; guessed. */
  readonly expectedS: number
  /** How many processes walk before they are measured; none unless told. */
  readonly walkers?: number
  /** Systems that are measured here even where they were not planned, by name. */
  readonly brings?: readonly string[]
  /** Is this system measured here, beyond what it can do at all? */
  takes?(system: System): boolean
  /** One system, once. */
  run(system: System, track: Track): Promise<Figures>
}

/** What a figure of ours must be, whatever the peers do. */
export interface Must {
  readonly figure: string
  readonly least?: number
  readonly most?: number
}

export interface Workload {
  /** `W1`. */
  readonly name: string
  readonly title: string
  /** The figure that is compared, and the others that are told. */
  readonly metric: string
  readonly better: 'higher' | 'lower'
  readonly musts?: readonly Must[]
  configurations(extent: Extent): Configuration[]
}
