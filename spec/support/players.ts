// The processes in which files of specs are played one after another, as the runner sees them.
// Promise: a file is judged as strictly as in a process of its own; one that failed is the last of its process, and
// what a process does after its last file counts against that file.
import { readFileSync } from 'node:fs'
import { limited, misbehaved, type Outcome, timeoutMs } from './child.ts'
import { asCompiled, BRIEF } from './compiled.ts'
import { type Ending, Group } from './group.ts'
import type { Report } from './report.ts'

/** After so many files a process is let go: a database in memory that nobody vacuums grows slow. */
const MOST_FILES = 32

interface Player {
  readonly group: Group
  readonly played: string[]
}

export class Players {
  readonly #signal: AbortSignal
  readonly #resting: Player[] = []

  /** @param signal aborts everything at once */
  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  /** Plays the file in a process that has nothing to do, or in a new one. */
  async play(file: string): Promise<Outcome> {
    const startedAt = performance.now()
    const player = this.#resting.pop() ?? (await begun())
    const { group } = player
    const heard = group.heard() as Promise<Report>
    group.tell(file)
    const limitMs = timeoutMs(readFileSync(file, 'utf8'))
    const answer = Promise.race([heard, group.ended])
    const told = await limited(group, limitMs, this.#signal, answer)
    player.played.push(file)
    const report = 'failures' in told ? told : null
    const { passed, failures } = report ?? { passed: 0, failures: [] }
    const isClean = passed > 0 && failures.length === 0 && !(await group.hasOthers())
    const isFit = isClean && player.played.length < MOST_FILES
    if (isFit) this.#resting.push(player)
    const more = isFit ? [] : await dismissed(player, report)
    const elapsedMs = performance.now() - startedAt
    return { file, passed, failures: [...failures, ...more], elapsedMs, output: group.takeSaid() }
  }

  /** Lets all go. @returns what there is to say against them */
  async close(): Promise<string[]> {
    const resting = this.#resting.splice(0)
    const said = await Promise.all(resting.map((player) => dismissed(player, FINE)))
    return said.flat()
  }
}

/** Of a process whose files have all passed. */
const FINE: Report = { passed: 1, failures: [] }

async function begun(): Promise<Player> {
  const program = await asCompiled('spec/support/player.ts')
  return { group: new Group(['--enable-source-maps', ...BRIEF, program], 'talks'), played: [] }
}

async function dismissed({ group, played }: Player, report: Report | null): Promise<string[]> {
  group.dismiss()
  const ending: Ending = await group.ended
  const leftovers = await group.leftBehind()
  const why = misbehaved(ending, leftovers, report).filter((one) => !report?.failures.includes(one))
  return played.length > 1 ? why.map((one) => `${one} (played: ${played.join(' ')})`) : why
}
