// The processes in which files of specs are played one after another, as the runner sees them.
// Promise: a file is judged as strictly as in a process of its own; one that failed is the last of its process, and
// whatever is said against a process names all that it has played. None is waited for without a limit.
import { limited, misbehaved, type Outcome } from './child.ts'
import { asCompiled, BRIEF } from './compiled.ts'
import { type Ending, Group, type GroupOptions } from './group.ts'
import type { Report } from './report.ts'

/** After so many files a process is let go: a database in memory that nobody vacuums grows slow. */
const MOST_FILES = 32
/** A process that is let go insists by itself on its end after a shorter while. */
const LEAVE_MS = 10_000

export interface PlayersOptions extends Pick<GroupOptions, 'environment'> {
  /** How long a process may take to end when it is let go; ten seconds unless told. */
  readonly leaveMs?: number
}

interface Player {
  readonly group: Group
  readonly played: string[]
}

export class Players {
  readonly #signal: AbortSignal
  readonly #options: PlayersOptions
  readonly #resting: Player[] = []
  /** What there is to say of processes whose files have all passed. */
  readonly #late: Outcome[] = []

  /** @param signal aborts everything at once */
  constructor(signal: AbortSignal, options: PlayersOptions = {}) {
    this.#signal = signal
    this.#options = options
  }

  /**
   * Plays the file in a process that has nothing to do, or in a new one.
   * @param limitMs how long it may take
   */
  async play(file: string, limitMs: number): Promise<Outcome> {
    const startedAt = performance.now()
    const player = await this.#free()
    const { group, played } = player
    played.push(file)
    try {
      const heard = group.heard(isReport).then(({ report }) => report)
      group.tell(file)
      const answer = Promise.race([heard, group.ended.then(() => null)])
      const report = await limited(group, limitMs, this.#signal, answer)
      const { passed, failures } = report ?? { passed: 0, failures: [] }
      const all = [...failures]
      if (report && (await group.hasOthers())) all.push('left processes running')
      const isFit = passed > 0 && all.length === 0 && !group.hasEnded
      if (isFit && played.length < MOST_FILES) this.#resting.push(player)
      else all.push(...(await this.#dismiss(player, report && { passed, failures: all })))
      const output = group.takeSaid() + (all.length > 0 ? before(player) : '')
      return { file, passed, failures: all, elapsedMs: performance.now() - startedAt, output }
    } catch (error) {
      group.end('it could not be played')
      throw error
    }
  }

  /** Lets all go. @returns what there is to say of those whose files have all passed */
  async close(): Promise<readonly Outcome[]> {
    await Promise.all(this.#resting.splice(0).map((player) => this.#dismissLate(player)))
    return this.#late
  }

  /** One that rests, or a new one. Whoever ended while it rested is buried with all it said. */
  async #free(): Promise<Player> {
    for (let player = this.#resting.pop(); player; player = this.#resting.pop()) {
      if (!player.group.hasEnded) return player
      await this.#dismissLate(player)
    }
    const program = await asCompiled('spec/support/player.ts')
    const { environment = {} } = this.#options
    const args = ['--enable-source-maps', ...BRIEF, program]
    const group = new Group(args, { talks: true, environment })
    return { group, played: [] }
  }

  async #dismissLate(player: Player): Promise<void> {
    const failures = await this.#dismiss(player, { passed: 1, failures: [] })
    if (failures.length === 0) return
    const output = player.group.takeSaid() + before(player)
    const file = player.played.at(-1)!
    this.#late.push({ file, passed: 0, failures, elapsedMs: 0, output })
  }

  async #dismiss({ group, played }: Player, report: Report | null): Promise<string[]> {
    group.dismiss()
    const leaveMs = this.#options.leaveMs ?? LEAVE_MS
    const ending: Ending = await limited(group, leaveMs, this.#signal, group.ended)
    const leftovers = await group.leftBehind()
    const why = misbehaved(ending, leftovers, report)
    const fresh = why.filter((one) => !report?.failures.includes(one))
    return played.length > 1 ? fresh.map((one) => `${one}, or one before it does`) : fresh
  }
}

const isReport = (message: unknown): message is { report: Report } =>
  typeof message === 'object' && message !== null && 'report' in message

/** Who was there before a file that failed. */
const before = ({ played }: Player): string =>
  played.length > 1 ? `\n  its process had played: ${played.slice(0, -1).join(' ')}\n` : ''
