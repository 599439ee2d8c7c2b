// What a step may ask of others, as parts of its unit. Types only.
import type { Unit } from '../lib/unit.ts'

/** What a step may ask of others. */
export type OutboxParts = Required<
  Pick<
    Unit,
    | 'creates'
    | 'starts'
    | 'stops'
    | 'sends'
    | 'marks'
    | 'reports'
    | 'removes'
    | 'alarms'
    | 'notices'
    | 'holds'
  >
>
