// A progress bar, where somebody sees it.
// Promise: writes to standard error of a terminal and nowhere else, so pipes and files stay clean.
import { SingleBar } from 'cli-progress'
import type { Street } from './street.ts'

export interface Progress {
  add(count: number): void
  stop(): void
}

/** @param total how many there are to do */
export function progress({ err }: Street, what: string, total: number): Progress {
  if (!err.isTTY || total === 0) return { add: () => {}, stop: () => {} }
  const format = `{bar} {value}/{total} ${what}, {eta_formatted} left`
  const bar = new SingleBar({ format, stream: err.stream, hideCursor: true })
  bar.start(total, 0)
  return { add: (count) => bar.increment(count), stop: () => bar.stop() }
}
