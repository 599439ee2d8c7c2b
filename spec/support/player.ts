// A process in which files of specs are played one after another: what one has loaded, compiled and warmed serves the next.
// Promise: each is reported by itself; before the next begins, nothing of the last is open or known. The parent names the files
// (players.ts) and lets the process go by closing the channel.
import { pathToFileURL } from 'node:url'
import { forgetAll } from '../../lib/known.ts'
import { asCompiled } from './compiled.ts'
import { hasEmbedded, hasGuests, keepEmbedded } from './inn.ts'
import { LEAKED } from './report.ts'
import { GRACE_MS, play } from './suite.ts'
import { until } from './wait.ts'

/** One embedded database for all of them. */
const closeEmbedded = keepEmbedded()
/** What is open before the first file. */
let usual: ReadonlyMap<string, number> | undefined

for (const stream of [process.stdout, process.stderr]) stream.write('') // it opens when it is used
process.on('message', (file: string) => void take(file))
process.once('disconnect', leave)

async function take(file: string): Promise<void> {
  usual ??= open()
  const environment = { ...process.env }
  process.exitCode = undefined // of the file before
  const made = pathToFileURL(await asCompiled(file)).href
  const { passed, failures } = await play(file, () => import(made))
  const left = await leftOpen()
  forgetAll() // the secrets of a file are no secrets in the next
  if (left) {
    console.error(`${file} leaks a handle: ${left}`)
    failures.push('leaks a handle')
  }
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name]
  Object.assign(process.env, environment)
  process.send!({ report: { passed, failures } })
}

/** How many there are of each kind of thing that keeps a process alive. */
function open(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

/** What is still open after a moment, as words. */
async function leftOpen(): Promise<string> {
  const kinds = () => [...open()].filter(([kind, count]) => count > allowed(kind))
  const more = () => [...kinds().map(([kind]) => kind), ...(hasGuests() ? ['embedded'] : [])]
  const isQuiet = () => more().length === 0
  await until(isQuiet, { what: 'all was closed', deadlineMs: GRACE_MS }).catch(() => {})
  return more().join(', ')
}

/** A timer left where the engine may have one is found when the process does not end. */
const allowed = (kind: string) =>
  (usual?.get(kind) ?? 0) + (kind === 'Timeout' && hasEmbedded() ? 1 : 0)

function leave(): void {
  closeEmbedded()
  const insist = () => {
    console.error(`what is still open: ${process.getActiveResourcesInfo().join(', ')}`)
    process.exit(LEAKED)
  }
  setTimeout(insist, GRACE_MS).unref()
}
