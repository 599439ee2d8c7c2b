// The bench: us and the peers on the same servers, in alternation, as one command.
// Promise: bad flags are one sentence and exit 2; progress goes to stderr, the tables to stdout; a system that could
// not be measured is told, and when it is ours the exit is 1.
//
//   npm run bench -- [--quick] [--only W1,W2] [--peers a,b] [--rounds n] [--minutes n]
//                    [--json FILE] [--markdown FILE] [--svg FILE]
import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { chartOf } from './chart.ts'
import { contest } from './contest.ts'
import { type Surroundings, surroundings } from './machine.ts'
import { markdownOf } from './markdown.ts'
import { BadFlag, type Form, type Plan, planOf } from './options.ts'
import { type Report, reportOf } from './report.ts'
import { isOurs } from './systems.ts'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const HOUSE = fileURLToPath(new URL('..', import.meta.url))
/** Where our package is built for the bench: users run JavaScript, so the bench does. */
const BUILT = fileURLToPath(new URL('../.escapement/bench', import.meta.url))

const tell = (line: string) => void process.stderr.write(`${line}\n`)

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    const plan = planOf(process.argv.slice(2))
    return plan ? await bench(plan) : 0
  } catch (thrown) {
    if (!(thrown instanceof BadFlag)) throw thrown
    tell(thrown.message)
    return 2
  }
}

async function bench(plan: Plan): Promise<number> {
  if (plan.systems.some((system) => !isOurs(system))) install()
  const entry = build()
  const startedAt = performance.now()
  let where: Surroundings | null = null
  const deadlineMs = startedAt + plan.minutes * 60_000
  const { heats, skipped } = await contest(plan, entry, tell, deadlineMs, async (servers) => {
    where = await surroundings(servers, plan.systems)
  })
  const report = reportOf(heats, plan.rounds, where!, skipped)
  write(plan, report)
  return report.workloads.every(({ ours }) => ours.runs > 0) ? 0 : 1
}

/** Peers are no dependencies of ours: they are installed when somebody wants to measure. */
function install(): void {
  if (existsSync(`${HERE}node_modules`)) return
  tell('Installing the peers in bench/node_modules (once, about half a gigabyte)')
  execFileSync('npm', ['ci'], { cwd: HERE, stdio: ['ignore', 2, 2] })
}

/** Builds the package apart from `dist`; types are the business of `npm run types`. */
function build(): string {
  tell('Building the package')
  const compiler = `${HOUSE}node_modules/typescript/bin/tsc`
  const how = [
    '-p',
    `${HOUSE}tsconfig.build.json`,
    '--outDir',
    BUILT,
    '--noCheck',
    '--declaration',
    'false',
  ]
  execFileSync(process.execPath, [compiler, ...how], { cwd: HOUSE, stdio: ['ignore', 2, 2] })
  return pathToFileURL(`${BUILT}/bin/index.js`).href
}

function write({ files }: Plan, report: Report): void {
  const forms: Readonly<Record<Form, (report: Report) => string>> = {
    json: (one) => `${JSON.stringify(one, null, 2)}\n`,
    markdown: markdownOf,
    svg: chartOf,
  }
  for (const [form, file] of Object.entries(files)) {
    writeFileSync(file, forms[form as Form](report))
    tell(`Wrote ${file}`)
  }
  process.stdout.write(markdownOf(report))
}
