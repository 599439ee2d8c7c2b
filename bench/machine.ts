// Where a report was made: the machine, the versions, and how long its disk takes for a flush.
import {
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { arch, cpus, platform, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Servers } from './servers.ts'
import { median } from './sums.ts'
import type { System } from './systems.ts'

export interface Machine {
  readonly system: string
  readonly processor: string
  readonly cores: number
  readonly memoryGb: number
  readonly node: string
  /** Median of a write of 8 kB and its flush, where the servers keep their data. */
  readonly flushMs: number
}

export interface Surroundings {
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  readonly durability: Readonly<Record<string, string>>
}

const FLUSHES = 50
const PAGE_BYTES = 8_192

/** @param systems those whose versions are told */
export async function surroundings(
  servers: Servers,
  systems: readonly System[],
): Promise<Surroundings> {
  const { postgres, redis, settings } = await servers.about()
  const vendors = systems.flatMap(({ vendor }) => vendor ?? [])
  const packages = [...new Set(vendors)].map((name) => [name, versionOf(`node_modules/${name}`)])
  const ours = ['escapement', versionOf('..')]
  return {
    machine: machine(),
    versions: { ...Object.fromEntries([ours, ...packages]), postgres, redis },
    durability: settings,
  }
}

function machine(): Machine {
  const [first] = cpus()
  return {
    system: `${platform()} ${release()} ${arch()}`,
    processor: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    flushMs: flushMs(),
  }
}

function flushMs(): number {
  const folder = mkdtempSync(join(tmpdir(), 'escapement-flush-'))
  const file = openSync(join(folder, 'page'), 'w')
  try {
    const page = Buffer.alloc(PAGE_BYTES, 1)
    const times = Array.from({ length: FLUSHES }, () => {
      const startedAt = performance.now()
      writeSync(file, page)
      fdatasyncSync(file)
      return performance.now() - startedAt
    })
    return median(times)
  } finally {
    closeSync(file)
    rmSync(folder, { recursive: true, force: true })
  }
}

function versionOf(folder: string): string {
  const file = new URL(`${folder}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')).version
}
