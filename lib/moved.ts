// States that were renamed or moved: a rest under the names they have today.
// Promise: only names change; what leads nowhere is left as it is, for whoever wakes the rest to refuse.
import { actorLogic } from './blueprint.ts'
import type { AnyStateMachine } from './machine-type.ts'
import type { Actor, Rest, StateValue, Timer } from './rest.ts'

/** Old paths to new ones: `{ 'door.ajar': 'door.open' }`. */
export type Moves = Readonly<Record<string, string>>

/** The rest as the machine of today names it. Done twice it is done once, since no old name is in use. */
export function moved(machine: AnyStateMachine, rest: Rest, moves: Moves): Rest {
  const { value, history, timers, actors } = rest
  const idOf = (id: string) => movedId(machine, id, moves)
  return {
    ...rest,
    value: movedValue(machine, value, moves),
    ...(history && {
      history: Object.fromEntries(
        Object.entries(history).map(([key, ids]) => [idOf(key), ids.map(idOf)]),
      ),
    }),
    timers: timers.map((timer) => movedTimer(timer, idOf)),
    actors: actors.map((actor) => movedActor(machine, actor, moves)),
  }
}

/** A text of XState's that ends with the id of a state, such as `xstate.after.500.door.ajar`. */
export function movedId(machine: AnyStateMachine, text: string, moves: Moves): string {
  const start = `${machine.id}.`
  const at = text.startsWith(start) ? 0 : text.indexOf(`.${start}`) + 1
  if (at === 0 && !text.startsWith(start)) return text
  const path = text.slice(at + start.length)
  const name = movedPath(path, moves)
  if (name === path) return text
  return `${text.slice(0, at)}${nodeAt(machine.root, name.split('.'))?.id ?? start + name}`
}

/** The longest old path that leads here decides. */
function movedPath(path: string, moves: Moves): string {
  const keys = path.split('.')
  for (let length = keys.length; length > 0; length--) {
    const old = keys.slice(0, length).join('.')
    if (Object.hasOwn(moves, old)) return [moves[old], ...keys.slice(length)].join('.')
  }
  return path
}

function movedTimer(timer: Timer, idOf: (id: string) => string): Timer {
  const { id, event } = timer
  return { ...timer, id: idOf(id), event: { ...event, type: idOf(event.type) } }
}

/** An invoke without an id is named by its state; the steps of `steps` by theirs. Its key stays what it was. */
function movedActor(machine: AnyStateMachine, actor: Actor, moves: Moves): Actor {
  const byState = movedId(machine, actor.src, moves)
  const isStep = actorLogic(machine, byState) === undefined && Object.hasOwn(moves, actor.src)
  const src = isStep ? (moves[actor.src] as string) : byState
  const id = isStep && actor.id === actor.src ? src : movedId(machine, actor.id, moves)
  if (src === actor.src && id === actor.id) return actor
  return { ...actor, id, src, keyId: actor.keyId ?? actor.id }
}

type Tree = Map<string, Tree>

function movedValue(machine: AnyStateMachine, value: StateValue, moves: Moves): StateValue {
  const root: Tree = new Map()
  for (const path of leavesOf(value)) {
    let at = root
    for (const key of movedPath(path.join('.'), moves).split('.')) {
      const next: Tree = at.get(key) ?? new Map()
      at.set(key, next)
      at = next
    }
  }
  return root.size === 0 ? value : drawn(root, machine.root)
}

function leavesOf(value: StateValue | undefined): string[][] {
  if (typeof value === 'string') return [[value]]
  return Object.entries(value ?? {}).flatMap(([key, part]) => {
    const leaves = leavesOf(part)
    return leaves.length === 0 ? [[key]] : leaves.map((leaf) => [key, ...leaf])
  })
}

/** As XState writes it: the only state of a plain one is a text, the regions of a parallel one are an object. */
function drawn(tree: Tree, node: any): StateValue {
  const [[only, beneath] = ['', new Map()]] = tree
  if (node?.type !== 'parallel' && tree.size === 1 && beneath.size === 0) return only
  return Object.fromEntries(
    [...tree].map(([key, part]) => [key, part.size === 0 ? {} : drawn(part, node?.states[key])]),
  )
}

function nodeAt(node: any, [key, ...more]: readonly string[]): any {
  return key === undefined ? node : node && nodeAt(node.states[key], more)
}
