// What processes have used, as Linux counts it.
// Promise: children that have ended are counted with the process that waited for them; elsewhere than on Linux
// nothing is read and nothing is claimed.
import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts processor time in hundredths of a second, whatever its own clock does. */
const TICK_MS = 10

interface Stat {
  readonly parent: number
  readonly ownMs: number
  readonly endedChildrenMs: number
}

/** Processor time of a process and all below it, in milliseconds. */
export function cpuMs(pid: number): number {
  const all = stats()
  const sum = (of: number): number =>
    [...all].filter(([, { parent }]) => parent === of).reduce((ms, [child]) => ms + sum(child), 0) +
    (all.get(of)?.ownMs ?? 0) +
    (all.get(of)?.endedChildrenMs ?? 0)
  return sum(pid)
}

/** The same of several, together. */
export const usedMs = (pids: readonly number[]): number =>
  pids.reduce((ms, pid) => ms + cpuMs(pid), 0)

/** The most memory a process has held so far, in megabytes. */
export function peakMb(pid: number): number {
  const told = /VmHWM:\s+(\d+) kB/.exec(read(`/proc/${pid}/status`))
  return Number(told?.[1] ?? 0) / 1024
}

/** The memory a process holds now, in megabytes. */
export function residentMb(pid: number): number {
  const told = /VmRSS:\s+(\d+) kB/.exec(read(`/proc/${pid}/status`))
  return Number(told?.[1] ?? 0) / 1024
}

function stats(): Map<number, Stat> {
  const found = new Map<number, Stat>()
  for (const name of list('/proc')) {
    if (!/^\d+$/.test(name)) continue
    // The name of the program is in brackets and may hold anything.
    const [, parent, ...rest] = read(`/proc/${name}/stat`)
      .replace(/^.*\) /s, '')
      .split(' ')
    if (parent === undefined) continue
    const ticks = rest.slice(9, 13).map(Number) as [number, number, number, number]
    const ownMs = (ticks[0] + ticks[1]) * TICK_MS
    found.set(Number(name), {
      parent: Number(parent),
      ownMs,
      endedChildrenMs: (ticks[2] + ticks[3]) * TICK_MS,
    })
  }
  return found
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
