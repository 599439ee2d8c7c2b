// What a user holds of a task: its verbs, typed by its machine.
// Promise: the same words go into the step's commit inside a step, and are a commit of their own outside.
import type {
  AnyStateMachine,
  EmittedFrom,
  EventFrom,
  InputFrom,
  TagsFrom,
} from '../lib/machine-type.ts'
import type { Kind } from './kind.ts'
import type { Begun, TaskSnapshot } from './snapshot.ts'
import type {
  Because,
  Condition,
  RunInfo,
  Schedule,
  SendOptions,
  Started,
  StartOptions,
  StopOptions,
  Target,
  Verbs,
  WaitOptions,
} from './verbs.ts'

/** The resource a task belongs to, and who carries out its verbs. */
export interface HandleBacking {
  readonly id: string
  readonly kind: Kind
  readonly verbs: Verbs
}

/** A task of a held resource: its verbs, typed by its machine. */
export class TaskHandle<M extends AnyStateMachine = AnyStateMachine> {
  readonly #backing: HandleBacking
  readonly #task: string

  constructor(backing: HandleBacking, task: string) {
    this.#backing = backing
    this.#task = task
  }

  get #target(): Target {
    return { kind: this.#backing.kind, resourceId: this.#backing.id, task: this.#task }
  }

  /** Starts a run with these arguments (the machine's input), or answers the one that lives. */
  start(args?: InputFrom<M>, options: StartOptions = {}): Promise<Started> {
    return this.#backing.verbs.start(this.#target, args, options)
  }

  /**
   * Stops the live run; false when none lived. One with an exit machine is `stopping` until that is done, or gone at
   * once by force.
   */
  stop(options: StopOptions = {}): Promise<boolean> {
    return this.#backing.verbs.stop(this.#target, options)
  }

  /**
   * Puts an event in the mailbox of the live run. One that is parked takes it once it goes on.
   * @throws TASK_NOT_RUNNING, TASK_FINISHED, EVENT_UNKNOWN, EVENT_TOO_LARGE, MAILBOX_FULL, DUPLICATE_SEND
   */
  send(event: EventFrom<M> | EventFrom<M>['type'], options: SendOptions = {}): Promise<void> {
    return this.#backing.verbs.send(this.#target, event as never, options)
  }

  /** Goes back `steps` steps, timers and effects armed anew. @throws STEP_UNKNOWN */
  rewind(steps: number, because: Because = {}): Promise<{ step: number; state: string }> {
    return this.#backing.verbs.rewind(this.#target, steps, because)
  }

  /** Lets a panicked run go on from its last good step. @throws TASK_NOT_RUNNING */
  retry(because: Because = {}): Promise<void> {
    return this.#backing.verbs.retry(this.#target, because)
  }

  /**
   * Puts the live run into a state of its machine, with the context it has: timers and effects of that state are armed,
   * what runs for the state it was in is stopped. Custom actions on the way in are not performed.
   * @throws TASK_NOT_RUNNING, ARGUMENT_INVALID for a state there is none of
   */
  goto(state: string, because: Because = {}): Promise<{ step: number; state: string }> {
    return this.#backing.verbs.goto(this.#target, state, because)
  }

  /** Stops time for the live run: its effects are told to stop, its mail and its timers wait. False when it was paused already. */
  pause(because: Because = {}): Promise<boolean> {
    return this.#backing.verbs.pause(this.#target, because)
  }

  /** Lets a paused run go on; each timer does as the policy of its delay says. @throws TASK_NOT_PAUSED */
  resume(because: Because = {}): Promise<void> {
    return this.#backing.verbs.resume(this.#target, because)
  }

  /** Is there a live run that is neither paused nor panicked? */
  async running(): Promise<boolean> {
    return (await this.status())?.status === 'running'
  }

  /** Where the schedule of a task with `every` is; null before it has begun. */
  schedule(): Promise<Schedule | null> {
    return this.#backing.verbs.schedule(this.#target)
  }

  /** The latest run; null when the task was never started. */
  status(): Promise<RunInfo | null> {
    return this.#backing.verbs.status(this.#target)
  }

  /** Where the latest run is, with all its machine knows; null when the task was never started. */
  snapshot(): Promise<TaskSnapshot<M> | null> {
    return this.#backing.verbs.snapshot(this.#target) as Promise<TaskSnapshot<M> | null>
  }

  /**
   * Waits until the latest run has become something: `'done'`, a tag, or whatever a function finds in its snapshot.
   * A state it passes between two looks is not seen.
   * @param options.timeoutMs how long, in milliseconds; 30 s unless told, a day at most
   * @throws TASK_NOT_RUNNING when there is no run; TASK_FINISHED and TASK_PARKED when it cannot become that any more;
   *   WAIT_TIMEOUT; what the function throws; the reason of the signal
   */
  waitFor(
    condition: 'done' | TagsFrom<M> | ((snapshot: Begun<M>) => boolean),
    options: WaitOptions = {},
  ): Promise<Begun<M>> {
    const { verbs } = this.#backing
    return verbs.waitFor(this.#target, condition as Condition, options) as Promise<Begun<M>>
  }

  /**
   * Hears what the machine emits, told after the commit in the process that made it; '*' for all of it.
   * @returns the undo
   */
  on<T extends EmittedFrom<M>['type'] | '*'>(
    type: T,
    listener: (
      event: T extends '*' ? EmittedFrom<M> : Extract<EmittedFrom<M>, { type: T }>,
    ) => void,
  ): () => void {
    return this.#backing.verbs.on(this.#target, type, listener)
  }
}
