// The hands of a taker: they take messages from BullMQ one by one, and work on what is in them side by side.
// Promise: a message is taken only while a hand is free, so that other processes get their share; it hands
// over even what cannot be parsed, rests after an error instead of spinning, and can be stopped when its
// server does not answer.
import type { Job, JobJson, Worker } from 'bullmq'
import { Bell } from './bell.ts'
import { asError } from './errors.ts'
import type { Backend } from './queue-backend.ts'
import type { Time } from './time.ts'
import { Tray } from './tray.ts'
import { LATE, within } from './within.ts'

/** How long a taker waits after an error; without it it would ask again at once, for ever. */
const REST_MS = 1_000
/** How long an answer is waited for when starting and stopping. */
const PATIENCE_MS = 5_000
/** After this much silence a message in hand is given to somebody else; renewed at half. */
const IN_HAND_MS = 30_000
const TAKING = {
  lockDuration: IN_HAND_MS,
  stalledInterval: IN_HAND_MS,
  maxStalledCount: 1,
  /** Seconds. */
  drainDelay: 5,
  runRetryDelay: REST_MS,
  removeOnComplete: { count: 0 },
  removeOnFail: { count: 0 },
}

export interface HandsOptions {
  readonly name: string
  readonly backend: Backend
  readonly time: Time
  /** Told of everything that goes wrong in the background. */
  readonly onError: (error: Error) => void
}

/** What is done with messages, and how much at once. */
export interface Hand<Item> {
  /** How many items are worked on at once. */
  readonly concurrency: number
  /** What is in a message: whatever lay in the queue, which others can write to. Must not throw. */
  readonly unpack: (message: unknown) => readonly Item[]
  /** Must not reject. */
  readonly work: (item: Item) => Promise<void>
  /** Puts back what was not begun. Must not reject. */
  readonly giveBack: (items: readonly Item[]) => Promise<void>
}

/** So many hands of one process, each with one item at most. */
export class Hands<Item> {
  readonly #options: HandsOptions
  readonly #unpack: (message: unknown) => readonly Item[]
  readonly #worker: InstanceType<ReturnType<typeof manual>>
  readonly #tray: Tray<Item>
  readonly #stopped = new AbortController()
  readonly #settling = new Set<Promise<void>>()
  /** Rung when there is room on the tray, when something was fetched, and at the end. */
  readonly #bell = new Bell()
  #fetching = 0
  /** How much a message may be expected to hold, by the last ones. */
  #expected = 1
  /** There was nothing: now the loop waits for the next message, and nobody else need ask. */
  #isDry = false
  #isTired = false

  constructor(options: HandsOptions, { concurrency, unpack, work, giveBack }: Hand<Item>) {
    const { name, backend, time, onError } = options
    this.#options = options
    this.#unpack = unpack
    const onRoom = () => this.#bell.ring()
    this.#tray = new Tray({ hands: concurrency, time, work, giveBack, onRoom })
    this.#worker = new (manual(options))(name, null, { ...backend.taking, ...TAKING })
    this.#worker.on('error', (error) => {
      onError(error)
      this.#isTired = true
    })
  }

  /** Resolves when messages are taken, or will be once the server answers. */
  async begin(): Promise<void> {
    await within(this.#options.time, PATIENCE_MS, this.#worker.waitUntilReady())
    await this.#worker.begin(this.#run())
  }

  /** Works on this at once, as if it had been fetched; false when no hand is free. */
  offer(item: Item): boolean {
    if (this.#stopped.signal.aborted || this.#tray.room <= 0) return false
    this.#keep(this.#tray.put([item]))
    return true
  }

  /** Whoever stops waits for it. */
  #keep(work: Promise<void>): void {
    const settled = work.finally(() => this.#settling.delete(settled))
    this.#settling.add(settled)
  }

  /** What is in hand is finished; what waits is given back. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    this.#tray.stop()
    this.#bell.ring()
    const closed = this.#worker.close()
    while ((await within(this.#options.time, PATIENCE_MS, closed)) === LATE) {
      if (this.#tray.inHand > 0) continue
      // Nothing is in hand and the server does not answer: leave without saying goodbye.
      this.#worker.abandon()
      return
    }
  }

  /** Fetches while there is room. Ends when stopped and everything taken is settled. */
  async #run(): Promise<void> {
    const { signal } = this.#stopped
    while (!signal.aborted) {
      if (this.#isTired) await this.#rest()
      else if (!this.#mayFetch) await this.#bell.heard()
      else await this.#fetch(() => this.#worker.next())
    }
    while (this.#settling.size > 0) await Promise.all(this.#settling)
  }

  /** Is there room for more than what is on its way? */
  get #mayFetch(): boolean {
    return this.#tray.room > this.#fetching * this.#expected
  }

  async #fetch(bring: () => Promise<Job | undefined>): Promise<void> {
    this.#fetching += 1
    try {
      const job = await bring()
      this.#isDry = !job
      if (!job) return
      this.#keep(this.#settle(job))
    } catch (thrown) {
      this.#failed(thrown)
    } finally {
      this.#fetching -= 1
      this.#bell.ring()
    }
  }

  /** Works on all that is in it; then it is gone from the queue, and the next one comes in the same go. */
  async #settle(job: Job): Promise<void> {
    this.#worker.keep(job)
    // What came back from a process that died, again and again, is left to the clock.
    const items = job.deferredFailure ? [] : this.#unpack(job.data)
    this.#expected = Math.max(items.length, Math.ceil(this.#expected / 2))
    await this.#tray.put(items)
    if (this.#isDry || this.#isTired || !this.#mayFetch) await this.#finish(job)
    else await this.#fetch(() => this.#worker.finish(job, true))
  }

  async #finish(job: Job): Promise<void> {
    await this.#worker.finish(job, false).catch((thrown) => this.#failed(thrown))
  }

  async #rest(): Promise<void> {
    await this.#options.time.sleep(REST_MS, this.#stopped.signal)
    this.#isTired = false
  }

  #failed(thrown: unknown): void {
    this.#isTired = true
    // What fails because the connection is being closed is nobody's trouble.
    if (!this.#stopped.signal.aborted) this.#options.onError(asError(thrown))
  }
}

/** BullMQ's worker with our loop in place of its own, and without two of its habits. */
function manual({ backend: { classes } }: HandsOptions) {
  let taken = 0
  return class extends (classes.Worker as unknown as typeof Worker) {
    /** @param loop closing waits for it */
    async begin(loop: Promise<void>): Promise<void> {
      this.mainLoopRunning = loop
      this.lockManager.start()
      await this.startStalledCheckTimer()
    }

    /** Waits for a message, some seconds at most. */
    next(): Promise<Job | undefined> {
      return this.getNextJob(`${this.id}:${taken++}`)
    }

    /** Renews our hold on it until it is finished. */
    keep(job: Job): void {
      this.lockManager.trackJob(job.id!, job.token!, job.processedOn!)
    }

    /** Takes it out of the queue. @returns the next one, if wanted and there */
    finish(job: Job, wantsNext: boolean): Promise<Job | undefined> {
      this.lockManager.untrackJob(job.id!)
      return this.handleCompleted(undefined, job, job.token!, () => wantsNext)
    }

    /** Hands over what is not JSON as null; it would take it up again and again. */
    protected override createJob(json: JobJson, id: string) {
      try {
        return super.createJob(json, id)
      } catch {
        return super.createJob({ ...json, data: 'null' }, id)
      }
    }

    /** Ends timers and connections at once; closing would wait for a dead server, and renew meanwhile. */
    abandon(): void {
      const ends = [this.lockManager.close(), this.pause(true), this.disconnect()]
      for (const end of ends) end.catch(() => {})
    }
  }
}
