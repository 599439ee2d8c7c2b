// `escapement get`: what is there.
// Promise: reads only; the same question gives the same JSON shape, watched or not.
import type { Command } from 'commander'
import { type Door, doing, type Globals, type Opened } from '../door.ts'
import { type List, listKind, listResources, listRuns, type Wanted } from '../lists.ts'
import { json, table } from '../print.ts'
import { whole } from '../words.ts'

interface Options extends Globals, Omit<Wanted, 'id'> {
  readonly watch?: boolean
}

const WATCH_MS = 1_000

export function getCommand(program: Command, door: Door): void {
  const get = program
    .command('get <kind> [id]')
    .description('list runs (`tasks`), `resources`, or the resources of one kind')
    .option('--state <state>', 'only those in this state')
    .option('--where <name=value...>', 'only those with these values')
    .option('--limit <n>', 'at most so many', whole('--limit', 1, 10_000), 100)
    .option('-w, --watch', 'go on, and print again whenever something changed')
  doing<Options>(get, async ([kind, id], options) => {
    await door.withApp(options, async (opened) => {
      const wanted = { ...options, ...(id !== undefined && { id }) }
      const look = () => list(opened, kind, wanted)
      if (options.watch) await watch(door, options, look)
      else show(door, options, await look(), id !== undefined)
    })
  })
}

function list(opened: Opened, kind: string, wanted: Wanted): Promise<List> {
  if (kind === 'tasks') return listRuns(opened, wanted)
  if (kind === 'resources') return listResources(opened, wanted)
  return listKind(opened, opened.app.registry.find(kind), wanted)
}

function show(door: Door, options: Options, found: List, isOne: boolean): void {
  const { values, head, rows, wideHead, wideRows } = found
  const isWide = options.output === 'wide'
  door.show(options, isOne ? values[0] : values, () => {
    if (values.length === 0) return 'Nothing found.\n'
    if (!isWide) return table(head, rows)
    const wider = rows.map((row, index) => [...row, ...(wideRows[index] ?? [])])
    return table([...head, ...wideHead], wider)
  })
}

/** Looks every second; prints the first answer and each that differs. As JSON, one line an answer. */
async function watch(door: Door, options: Options, look: () => Promise<List>): Promise<void> {
  const { street, time } = door
  let last = ''
  while (!street.stopped.aborted) {
    const found = await look()
    const text = json(found.values, 0)
    if (text !== last) {
      if (options.output === 'json') door.say(text)
      else {
        if (last) door.say('')
        show(door, options, found, false)
      }
    }
    last = text
    await time.sleep(WATCH_MS, street.stopped)
  }
}
