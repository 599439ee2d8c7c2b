// The model beside what was measured, as a command; and the calibration, written anew from a report.
// Promise: without --write nothing is changed; a bad flag or report is one sentence and exit 2.
//
//   npm run scaling -- [--report FILE] [--write] [--sizes] [--note TEXT]
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Calibration, parametersOf, pointsOf, rounded } from './calibration.ts'
import { BadFlag } from './options.ts'
import type { Report } from './report.ts'
import { pageWith, tables } from './scaling-page.ts'
import { measureSizes } from './sizes.ts'

const CALIBRATION = fileURLToPath(new URL('calibration.json', import.meta.url))
const PAGE = fileURLToPath(new URL('../docs/scaling.md', import.meta.url))
const FLAGS = {
  report: { type: 'string' },
  write: { type: 'boolean' },
  sizes: { type: 'boolean' },
  note: { type: 'string' },
} as const

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    await scale()
    return 0
  } catch (thrown) {
    if (!(thrown instanceof BadFlag)) throw thrown
    process.stderr.write(`${thrown.message}\n`)
    return 2
  }
}

async function scale(): Promise<void> {
  const { report: file, note, write = false, sizes: measures = false } = flags()
  const before: Calibration = JSON.parse(readFileSync(CALIBRATION, 'utf8'))
  const from = file === undefined ? before : { ...before, ...calibrated(reportIn(file)) }
  const sizes = measures ? await measureSizes() : from.sizes
  const origin = { ...from.origin, ...(note !== undefined && { note }) }
  const calibration = { ...from, origin, sizes }
  if (write) {
    writeFileSync(CALIBRATION, `${JSON.stringify(calibration, null, 2)}\n`)
    writeFileSync(PAGE, pageWith(readFileSync(PAGE, 'utf8'), calibration))
  }
  for (const [name, rows] of Object.entries(tables(calibration)))
    process.stdout.write(`${name}\n${rows.map((row) => `  ${row.join(' | ')}\n`).join('')}\n`)
}

function flags() {
  try {
    return parseArgs({ options: FLAGS, allowPositionals: false }).values
  } catch {
    throw new BadFlag('Usage: npm run scaling -- [--report FILE] [--write] [--sizes] [--note TEXT]')
  }
}

function reportIn(file: string): Report {
  try {
    const report: Report = JSON.parse(readFileSync(file, 'utf8'))
    if (Array.isArray(report.workloads) && report.machine) return report
  } catch {}
  throw new BadFlag(
    `${file} is no report of the bench: make one with npm run bench -- --json ${file}`,
  )
}

function calibrated(report: Report): Omit<Calibration, 'sizes'> {
  const { machine, versions, durability, rounds } = report
  const measuredOn = new Date().toISOString().slice(0, 10)
  const points = pointsOf(report)
  try {
    const parameters = parametersOf(points, machine)
    const seen = { ...machine, flushMs: rounded(machine.flushMs) }
    return {
      origin: { measuredOn, machine: seen, versions, durability, rounds },
      points,
      parameters,
    }
  } catch (thrown) {
    if (thrown instanceof RangeError) throw new BadFlag(thrown.message)
    throw thrown
  }
}
