// The machine of an alarm: what may follow what, from the first sign to the close.
// Promise: a statechart like any user's, stepped by the same adapter; it decides alone what is told and when again.
import { assign, emit, setup } from 'xstate'
import type { AlarmAbout, AlarmState } from '../lib/alarm.ts'
import type { AnyStateMachine } from '../lib/machine.ts'
import { SEVERITIES, type Severity } from '../lib/notice.ts'
import type { StateValue } from '../lib/rest.ts'

/** What an alarm remembers. Moments are milliseconds since 1970. */
export interface AlarmContext {
  /** The moment of the step. */
  readonly now: number
  readonly about: AlarmAbout
  readonly count: number
  readonly episode: number
  readonly owner: string | null
  readonly note: string | null
  readonly firstSeenAt: number
  readonly lastSeenAt: number
  readonly openedAt: number | null
  readonly closedAt: number | null
  readonly silencedUntil: number | null
  /** When it was opened lately, for its damping. */
  readonly openings: readonly number[]
}

/** How often an alarm that nobody has acknowledged is told again; 0 for never. */
export type Repeats = Readonly<Record<Severity, number>>

/** What follows from a step is said by these, as events that are emitted. */
export type Told = 'alarm.opened' | 'alarm.reopened' | 'alarm.repeated' | 'alarm.closed'

interface Seen {
  readonly context: AlarmContext
  readonly event: any
}

const isGraver = (one: Severity, other: Severity): boolean =>
  SEVERITIES.indexOf(one) < SEVERITIES.indexOf(other)

/** How long it has to be over: longer for one that comes and goes. */
function clearMs({ context: { about, openings, now } }: Seen): number {
  const { flap, clearForMs } = about
  if (!flap) return clearForMs
  const lately = openings.filter((at) => at > now - flap.withinMs)
  return lately.length >= flap.times ? Math.max(clearForMs, flap.withinMs) : clearForMs
}

// XState has no types for what is emitted by a machine whose events are anything.
const tell = (type: Told): any => emit({ type } as never)

const ACTIONS = {
  see: assign(({ context, event }: Seen) => ({
    about: event.about,
    count: context.count + 1,
    lastSeenAt: context.now,
  })),
  open: assign(({ context: { now, openings, about, episode } }: Seen) => ({
    openedAt: now,
    closedAt: null,
    episode: episode + 1,
    openings: [...openings, now].slice(-(about.flap?.times ?? 1)),
  })),
  close: assign(({ context: { now } }: Seen) => ({
    closedAt: now,
    owner: null,
    silencedUntil: null,
  })),
  own: assign(({ context, event }: Seen) => ({ owner: event.owner ?? context.owner })),
  silence: assign(({ event }: Seen) => ({ silencedUntil: event.until })),
  write: assign(({ context, event }: Seen) => ({
    note: event.note === undefined ? context.note : event.note,
    owner: event.owner === undefined ? context.owner : event.owner,
  })),
}

/** Wanted by somebody, and told again until somebody says so. */
const wanted = (target: 'open' | 'reopened') => ({
  after: {
    repeat: { target, reenter: true, actions: tell('alarm.repeated'), guard: 'isRepeated' },
  },
})

/** What people make of it. */
const ATTENTION = {
  initial: 'entering',
  on: {
    ACKNOWLEDGE: { target: '.acknowledged', actions: 'own' },
    SILENCE: [
      { guard: 'endsSomeday', target: '.silenced', reenter: true, actions: 'silence' },
      { target: '.muted', actions: 'silence' },
    ],
  },
  states: {
    entering: {
      always: [
        { guard: 'isFirst', target: 'open', actions: tell('alarm.opened') },
        { target: 'reopened', actions: tell('alarm.reopened') },
      ],
    },
    open: wanted('open'),
    reopened: wanted('reopened'),
    // Acknowledged as something lighter than it turned out to be.
    acknowledged: {
      on: { RAISE: { guard: 'isGraver', target: 'reopened', actions: tell('alarm.reopened') } },
    },
    silenced: { after: { silence: { target: 'open', actions: tell('alarm.repeated') } } },
    muted: {},
  },
} as const

/** What it is about. */
const CONDITION = {
  initial: 'holding',
  states: {
    holding: {
      on: {
        CLEAR: [{ guard: 'isDamped', target: 'clearing' }, { target: '#alarm.closed' }],
        RAISE: { actions: 'see' },
      },
    },
    clearing: {
      after: { clear: '#alarm.closed' },
      on: { RAISE: { target: 'holding', actions: 'see' } },
    },
  },
} as const

/** Makes the machine. */
export function alarmMachine(repeats: Repeats): AnyStateMachine {
  // XState's types cannot follow parts written apart.
  const machine = (setup as any)({
    delays: {
      for: ({ context }: Seen) => context.about.forMs,
      clear: clearMs,
      // An alarm that is never told again still needs a delay; its guard lets nothing come of it.
      repeat: ({ context }: Seen) => repeats[context.about.severity] || NEVER_MS,
      silence: ({ context }: Seen) => (context.silencedUntil ?? 0) - context.now,
    },
    guards: {
      mustHold: ({ event }: Seen) => event.about.forMs > 0,
      isUrgent: ({ event }: Seen) => event.about.forMs === 0,
      isGraver: ({ context, event }: Seen) =>
        isGraver(event.about.severity, context.about.severity),
      isFirst: ({ context }: Seen) => context.episode === 1,
      isRepeated: ({ context }: Seen) => repeats[context.about.severity] > 0,
      isDamped: (seen: Seen) => clearMs(seen) > 0,
      endsSomeday: ({ event }: Seen) => event.until !== null,
    },
    actions: ACTIONS,
  }).createMachine({
    id: 'alarm',
    context: ({ input }: any) => input,
    initial: 'closed',
    on: { NOTE: { actions: 'write' } },
    states: {
      closed: {
        on: {
          RAISE: [
            { guard: 'mustHold', target: 'pending', actions: 'see' },
            { target: 'active', actions: 'see' },
          ],
          REOPEN: 'active',
        },
      },
      pending: {
        after: { for: 'active' },
        on: {
          RAISE: [{ guard: 'isUrgent', target: 'active', actions: 'see' }, { actions: 'see' }],
          CLEAR: 'closed',
          CLOSE: 'closed',
        },
      },
      active: {
        type: 'parallel',
        entry: 'open',
        exit: ['close', tell('alarm.closed')],
        on: { CLOSE: 'closed' },
        states: { attention: ATTENTION, condition: CONDITION },
      },
    },
  })
  return machine as AnyStateMachine
}

/** A hundred years. */
const NEVER_MS = 100 * 365 * 24 * 3_600_000

/** What people call the state an alarm is in. */
export function alarmState(value: StateValue): AlarmState {
  if (value === 'pending' || value === 'closed') return value
  const { attention } = (value as { active: { attention: string } }).active
  return attention === 'muted' ? 'silenced' : (attention as AlarmState)
}

/** Is it active, and its condition over for the time being? */
export function isClearing(value: StateValue): boolean {
  return typeof value === 'object' && (value as any).active?.condition === 'clearing'
}
