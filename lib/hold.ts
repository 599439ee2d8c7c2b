// A hold: what keeps automation from going on, by hand or by a breaker. Types only.
import type { Author } from './author.ts'

/**
 * What is held: `resource:ID`, `task:KIND.NAME`, `queue:NAME` or `dependency:NAME`.
 * Whoever asks about a task asks for all that apply to it.
 */
export type Scope = `${'resource' | 'task' | 'queue' | 'dependency'}:${string}`

/** By a person, by failures, or by somebody who said not to come back before a moment. */
export type HoldBy = 'pause' | 'breaker' | 'limit'

export interface Hold {
  readonly scope: Scope
  readonly by: HoldBy
  /** Shut: nothing passes. Trial: one does, to see whether it works again. */
  readonly state: 'shut' | 'trial'
  readonly actor: string
  readonly reason: string | null
  readonly since: number
  /** Null until somebody lets it go. */
  readonly until: number | null
  /** Of a trial: until when the one that passed is waited for. */
  readonly probeAt: number | null
  readonly round: number
}

/** A change of one hold that is asked for. `passed`: a trial succeeded, so it opens if it still is a trial. */
export interface HoldSignal extends Author {
  readonly scope: Scope
  readonly by: HoldBy
  readonly event: 'shut' | 'open' | 'passed'
  readonly until: number | null
}

/** A change of one hold that was made. */
export interface HoldChange {
  readonly scope: string
  readonly by: HoldBy
  readonly event: 'shut' | 'renewed' | 'trial' | 'open' | 'expired'
  readonly until: number | null
}

/** How effects behind a breaker ended since it was last written, and when that shuts it. */
export interface Count {
  readonly scope: Scope
  /** Successes, by the second in which they were. */
  readonly oks: readonly { readonly at: number; readonly ok: number }[]
  readonly failed: number
  readonly policy: BreakerPolicy
  /** Who counted. */
  readonly actor: string
}

/** What became of somebody who wants to be the trial: the one, nobody is needed, or held until a moment. */
export type Probe = 'ours' | 'open' | { readonly until: number | null }

export interface BreakerPolicy {
  /** The part of all that may fail, from 0 to 1. */
  readonly rate: number
  /** Fewer than these say nothing. */
  readonly least: number
  /** How far back is counted. */
  readonly withinMs: number
  /** How long it is shut at first; doubled each time it fails again, up to `mostMs`. */
  readonly shutMs: number
  readonly mostMs: number
}
