// The answers `explain` can give: code to meaning, in the order of their weight.
// Promise: the first of these that holds is the answer; docs/explain.md shows them all, and a spec keeps the two equal.

/** The answers, the most telling first. */
export const ANSWERS = {
  gone: 'the resource was deleted',
  poisonous: 'the task is parked: it took down three processes',
  panicked: 'the task is parked by a panic',
  stranded: 'no definition here can hold where the task rests',
  paused: 'somebody paused this run',
  held: 'somebody paused its resource, its task name or the queue',
  orphaned:
    'the worker that had it in hand is silent; it is taken over when the lock of that one runs out',
  breaker: 'a breaker is open before it',
  limit: 'the outside asked not to be called before a moment',
  in_line: 'as many as the limit of its task allows go on, or began, already',
  quota: 'its resource has used what its type may use in a period',
  suspect: 'processes died over it, and it waits until it can be run apart',
  unknown_here: 'no worker that looked at it knows this task or type',
  no_worker: 'it is due, and no worker is alive to take it',
  no_clock: 'it is due, a worker is alive, and no clock is there to find it',
  working: 'a worker has it in hand, and an effect runs',
  busy: 'a worker has its resource in hand for another task',
  late: 'it is due and has not been taken up yet',
  stopping: 'it is stopped, and its exit machine is not done',
  deleting: 'the resource is being deleted',
  retry: 'an attempt failed, and the next one waits for its time',
  again: 'its effect asked to be run again later',
  child: 'it waits for a child that a machine of it has spawned',
  timer: 'it waits for a timer',
  event: 'it waits for an event from outside',
  nothing: 'it waits for nothing that could come: no timer, no event, no effect',
  scheduled: 'it does not run; its schedule starts it at a moment',
  failed: 'the latest run failed towards the machine that spawned it',
  stopped: 'somebody stopped the latest run',
  done: 'the latest run came to its end',
  parent_leaving: 'it was never started, and the resource it belongs to is stopped or goes',
  not_running: 'it was never started, and its resource does not run',
  never_started: 'it was never started, though its resource runs',
} as const

export type AnswerCode = keyof typeof ANSWERS

/** What is told beside the answer, and never is the answer itself. */
export const EVIDENCE = {
  resting: 'where it rests, and since when',
  strikes: 'how many processes died over it since it last moved',
  failure: 'its latest failed attempt',
  progress: 'how far an effect says it is',
  mailbox: 'events that wait in its mailbox',
  alarm: 'an alarm about it that is not closed',
  lease: 'who claimed its resource last, under which fence, and whether that one is alive',
  parent: 'the resource it belongs to is not running',
  life: 'its resource is not running',
  queue: 'the queue it travels on where its type names one, and how many workers serve that',
  staff: 'no worker or no clock is alive that serves its queue',
} as const

export type EvidenceCode = AnswerCode | keyof typeof EVIDENCE

/** One thing that was found. */
export interface Finding {
  readonly code: EvidenceCode
  /** What it does, or what is so; it follows the name of the task. */
  readonly text: string
  /** When it happened or will, in milliseconds since 1970. */
  readonly at?: number
}

/** A finding, and what could be done about it: commands; `#` stands for the resource, `@` for it and its task. */
export interface Clue extends Finding {
  readonly actions?: readonly string[]
}

/** The answer to "why does it not move?". */
export interface Explanation {
  readonly kind: string
  readonly id: string
  readonly task: string | null
  readonly code: AnswerCode
  readonly sentence: string
  readonly evidence: readonly Finding[]
  /** Commands that would change it. */
  readonly actions: readonly string[]
}

const WEIGHT = new Map(Object.keys(ANSWERS).map((code, index) => [code, index]))

/** The lower, the more telling; evidence that is no answer comes last. */
const weightOf = (code: EvidenceCode): number => WEIGHT.get(code) ?? WEIGHT.size

export const byWeight = (a: Finding, b: Finding): number => weightOf(a.code) - weightOf(b.code)
