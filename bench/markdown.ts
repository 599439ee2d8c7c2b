// A report as Markdown: a table for each configuration, the best first.
import type { Entry, Line, Peer, Report } from './report.ts'

/** Which figures are told beside the one that is compared, and how their column is called. */
const COLUMNS: readonly (readonly [name: string, title: string])[] = [
  ['idlePointsEmpty', 'points when empty'],
  ['idlePointsMore', 'points more'],
  ['p50Ms', 'p50 ms'],
  ['p99Ms', 'p99 ms'],
  ['p50ToEmpty', 'p50 / empty'],
  ['p99ToEmpty', 'p99 / empty'],
  ['toW1', '/ W1'],
  ['oldestFirst', 'order: oldest 90 %'],
  ['orderOfAll', 'all'],
  ['newcomerP50Ms', 'newcomers: p50 ms'],
  ['newcomerP99Ms', 'p99 ms'],
  ['newcomerMostMs', 'most ms'],
  ['spreadMs', 'made in ms'],
  ['toOne', '/ one process'],
  ['mostToOne', 'cores allow'],
  ['coresBusy', 'cores busy'],
  ['shortMs', 'ms after ten steps'],
  ['longToShort', 'long / short'],
  ['stepP50Ms', 'step p50 ms'],
  ['stepP99Ms', 'step p99 ms'],
  ['commitsPerStep', 'commits/step'],
  ['walBytesPerStep', 'WAL B/step'],
  ['redisCommandsPerStep', 'Redis commands/step'],
  ['workerCpuMsPerStep', 'CPU ms/step: worker'],
  ['postgresCpuMsPerStep', 'PostgreSQL'],
  ['redisCpuMsPerStep', 'Redis'],
  ['restateCpuMsPerStep', 'Restate'],
  ['rssMb', 'RSS MB'],
  ['rssToEmpty', 'RSS / empty'],
  ['rssGrownMb', 'MB grown'],
  ['rssToW1', 'RSS / W1'],
]

export function markdownOf(report: Report): string {
  const { machine, versions, durability, rounds, workloads, skipped } = report
  const said = (facts: object) =>
    Object.entries(facts)
      .map(([name, value]) => `${name} ${typeof value === 'number' ? short(value) : value}`)
      .join(', ')
  return [
    '# Benchmark\n',
    `* Machine: ${said(machine)}`,
    `* Versions: ${said(versions)}`,
    `* Durability: ${said(durability)}`,
    `* Medians of ${rounds} round${rounds === 1 ? '' : 's'} in alternation. "ours / theirs" compares with our full setting; the best durable peer is 1.\n`,
    ...workloads.map(tableOf),
    ...skipped.map((one) => `* ${one.workload}: ${one.configuration}: ${one.reason}`),
  ].join('\n')
}

function tableOf(entry: Entry): string {
  const { workload, configuration, title, metric, better, ours, peers } = entry
  const lines: (Line & Partial<Peer>)[] = [ours, ...peers]
  const sign = better === 'higher' ? -1 : 1
  const sorted = lines.sort(
    (a, b) => sign * ((a.median ?? Infinity * sign) - (b.median ?? Infinity * sign)),
  )
  const columns = COLUMNS.filter(
    ([name]) => name !== metric && lines.some(({ figures }) => figures[name]),
  )
  const head = ['system', metric, 'min–max', 'best durable peer = 1', 'ours / theirs']
  const titles = [...head, ...columns.map(([, column]) => column), 'runs']
  const rows = sorted.map((line) => [
    line === ours ? `**${line.name}**` : `${line.name}${line.durable ? '' : ' (not durable)'}`,
    line.median === undefined ? 'failed' : short(line.median),
    line.median === undefined ? '' : `${short(line.min!)}–${short(line.max!)}`,
    short(line.toBest),
    line === ours ? '' : short(line.ratio),
    ...columns.map(([name]) => short(line.figures[name])),
    String(line.runs),
  ])
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rule = row(titles.map(() => '---'))
  const shown = entry.shown.map(({ figure, value, least, most, holds }) => {
    const bound = least === undefined ? `at most ${most}` : `at least ${least}`
    const told = value === null ? 'not measured' : short(value)
    return `* ${figure}: ${told}, is to be ${bound}: ${holds ? 'holds' : '**does not hold**'}`
  })
  const failures = lines.flatMap(({ name, failures = [] }) =>
    failures.map((failure) => `* ${name} failed: ${failure.split('\n')[0]}`),
  )
  return [
    `## ${workload}: ${configuration}\n`,
    `${title}\n`,
    ...[row(titles), rule, ...rows.map(row)],
    ...(shown.length + failures.length > 0 ? ['', ...shown, ...failures] : []),
    '',
  ].join('\n')
}

/** Three digits that matter, and none behind the point of what is large. */
export function short(value: number | null | undefined): string {
  if (value === null || value === undefined) return ''
  if (Math.abs(value) >= 100) return String(Math.round(value))
  return String(Number(value.toPrecision(3)))
}
