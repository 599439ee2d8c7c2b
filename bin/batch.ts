// Many alarms or panics: counted before anything is done, done with a bar where somebody sees it, told at the end.
// Promise: a dry run changes nothing; whoever interrupts is told how many were done by then.
import type { LaneOptions, Tally } from '../models/lanes.ts'
import type { Door, Globals } from './door.ts'
import { progress } from './progress.ts'

/** Options of what is for many. */
export interface Batch extends Globals {
  readonly all?: boolean
  readonly dryRun?: boolean
}

/** What is done to how many. */
export interface Task {
  /** What they are: `alarms`. */
  readonly what: string
  /** What is done, and what was: `close`, `closed`. */
  readonly verb: string
  readonly past: string
  readonly matched: number
  work(options: LaneOptions): Promise<Tally>
}

/** @throws what `work` throws */
export async function batch(door: Door, options: Batch, task: Task): Promise<void> {
  const { what, verb, past, matched } = task
  const { street } = door
  const signal = street.stopped
  const told = { verb, matched }
  if (options.dryRun) {
    const value = { ...told, changed: 0, skipped: 0, refused: {}, dryRun: true, interrupted: false }
    const sentence = `${matched} ${what} would be ${past}; nothing was changed`
    return door.tell(options, value, sentence)
  }
  if (options.output !== 'json') street.err.write(`${matched} ${what} to ${verb}\n`)
  const bar = progress(street, what, matched)
  let done = 0
  const onDone = (count: number) => {
    done += count
    bar.add(count)
  }
  const tally = await task
    .work({ signal, onDone })
    .catch((thrown) => {
      street.err.write(`${done} of ${matched} ${what} were seen to before it failed\n`)
      throw thrown
    })
    .finally(() => bar.stop())
  const interrupted = signal.aborted
  const sentence = `${interrupted ? 'interrupted: ' : ''}${past} ${tally.changed} of ${matched} ${what}${rest(tally)}`
  door.tell(options, { ...told, ...tally, dryRun: false, interrupted }, sentence)
}

function rest({ skipped, refused }: Tally): string {
  const refusals = Object.entries(refused).map(([code, count]) => `, ${count} refused (${code})`)
  return `${skipped > 0 ? `, ${skipped} skipped` : ''}${refusals.join('')}`
}
