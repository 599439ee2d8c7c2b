// A storm of panics on the servers of the environment, and its figures.
// Promise: what it prints was measured; the exit status says whether everything was told, once, and in few deliveries.
//
//   npm run storm -- [--panics 10000] [--setting full]
import { parseArgs } from 'node:util'
import { MOST, storm } from '../flow/storm.ts'
import { type Setting, settings } from '../support/services.ts'

const { values } = parseArgs({
  options: {
    panics: { type: 'string', default: '10000' },
    setting: { type: 'string', default: 'full' },
  },
})
const panics = Number(values.panics)
if (!settings().includes(values.setting as Setting)) {
  throw new Error(
    `There is no setting ${values.setting} here: set DATABASE_URL, and REDIS_URL for full.`,
  )
}
const { deliveries, ...figures } = await storm({ panics, setting: values.setting as Setting })
for (const [name, figure] of Object.entries(figures)) console.log(`${name}: ${text(figure)}`)
console.log(`deliveries: ${deliveries.length}, of ${deliveries.join(', ')} notices`)
const isWell =
  figures.odd === 0 &&
  figures.failedBeats === 0 &&
  figures.notices === panics &&
  figures.mostOften === 1 &&
  deliveries.length <= panics / MOST + 5
console.log(isWell ? 'passed' : 'FAIL')
process.exitCode = isWell ? 0 : 1

function text(figure: object | number): string {
  if (typeof figure === 'number') return String(figure)
  const parts = Object.entries(figure).map(([name, value]) => `${name} ${value}`)
  return parts.join(', ')
}
