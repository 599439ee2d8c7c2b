// A report as a picture: one bar for each system in each configuration.
// Promise: plain SVG that shows the same figures as the tables; nothing in it is loaded from anywhere.
import { short } from './markdown.ts'
import type { Entry, Line, Report } from './report.ts'

const WIDTH = 900
const NAMES = 190
const BAR = 18
const GAP = 6
const HEAD = 44

export function chartOf({ workloads, machine }: Report): string {
  let top = 10
  const parts: string[] = []
  for (const entry of workloads) {
    parts.push(`<g transform="translate(0 ${top})">${plot(entry)}</g>`)
    top += HEAD + (entry.peers.length + 1) * (BAR + GAP) + 16
  }
  const about = `${machine.processor}, ${machine.cores} cores, flush ${short(machine.flushMs)} ms`
  parts.push(`<text x="10" y="${top + 8}" class="small">${safe(about)}</text>`)
  const style =
    'text{font:13px sans-serif;fill:#222}.head{font-weight:bold}.small{font-size:11px;fill:#666}'
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top + 24}" viewBox="0 0 ${WIDTH} ${top + 24}">
<style>${style}</style><rect width="100%" height="100%" fill="#fff"/>
${parts.join('\n')}
</svg>
`
}

function plot({ workload, configuration, metric, better, ours, peers }: Entry): string {
  const lines: Line[] = [ours, ...peers].filter(({ median }) => median !== undefined)
  const sign = better === 'higher' ? -1 : 1
  lines.sort((a, b) => sign * (a.median! - b.median!))
  const most = Math.max(...lines.map(({ max }) => max!))
  const x = (value: number) => (value / most) * (WIDTH - NAMES - 90)
  const bars = lines.map((line, index) => {
    const y = HEAD + index * (BAR + GAP)
    const colour = line.name === ours.name ? '#c2410c' : line.durable ? '#64748b' : '#cbd5e1'
    const end = NAMES + x(line.max!)
    const middle = y + BAR / 2
    return [
      `<text x="${NAMES - 8}" y="${y + 14}" text-anchor="end">${safe(line.name)}</text>`,
      `<rect x="${NAMES}" y="${y}" width="${x(line.median!).toFixed(1)}" height="${BAR}" fill="${colour}"/>`,
      `<path d="M${(NAMES + x(line.min!)).toFixed(1)} ${middle}H${end.toFixed(1)}" stroke="#222"/>`,
      `<text x="${(end + 6).toFixed(1)}" y="${y + 14}">${short(line.median)}</text>`,
    ].join('')
  })
  const title = `${workload}  ${configuration}`
  const note = `${metric}, ${better} is better; pale bars are not durable`
  return `<text x="10" y="16" class="head">${safe(title)}</text><text x="10" y="32" class="small">${safe(note)}</text>${bars.join('')}`
}

const safe = (text: string) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`)
