// The embedded database of this process, and its guests.
// Promise: there is one at a time, in memory, begun from the blank; it is closed soon after its last guest has left, or
// whoever keeps it lets it go.
import type { Embedded } from '../../lib/embedded.ts'
import { SystemTime } from '../../lib/time.ts'

/** How long it waits for the next guest; its timers keep the process alive. */
const EMPTY_MS = 300

const time = new SystemTime()
let embedded: Promise<Embedded> | undefined
let guests = 0
let keepers = 0

/** Give it back when done, with `leaveEmbedded`. */
export function enterEmbedded(): Promise<Embedded> {
  guests += 1
  embedded ??= begun()
  return embedded
}

export function leaveEmbedded(): void {
  guests -= 1
  if (guests + keepers === 0) time.after(EMPTY_MS, closeIfEmpty)
}

/** From now on it stays for whoever comes, until the answer is called: then it is closed as soon as nobody is in it. */
export function keepEmbedded(): () => void {
  keepers += 1
  return () => {
    keepers -= 1
    closeIfEmpty()
  }
}

/** Is there one? Its engine keeps a timer, now and then. */
export const hasEmbedded = (): boolean => embedded !== undefined

/** Is somebody in it? */
export const hasGuests = (): boolean => guests > 0

/** The engine is loaded by whoever needs it. */
async function begun(): Promise<Embedded> {
  const [{ openEmbedded }, { blankDump }] = await Promise.all([
    import('../../lib/embedded.ts'),
    import('./blank.ts'),
  ])
  return openEmbedded({ folder: null, from: await blankDump() })
}

function closeIfEmpty(): void {
  if (guests + keepers > 0) return
  void embedded?.then((database) => database.close())
  embedded = undefined
}
