// XState with its mail in one line for the whole tree, as the engine has it.
// Promise: a message waits for those sent before it, instead of being worked off within the step that sends
// it; what a step sends comes before what the actors it has made send; an actor that was left reads what it
// was sent before, and is not heard when it tells of its end. Nothing else of XState is changed.

/**
 * @param system the system of an actor that has not been started
 * @returns how it is to be started, for that is a step like any other
 */
export function lineUp(system: any): (start: () => void) => void {
  const relay = system._relay
  const line: (() => void)[] = []
  /** What the step under way has sent, by sender; null between steps. */
  let sent: Map<any, (() => void)[]> | null = null
  /** Whom mail is on the way to. */
  const awaited: any[] = []
  const post = (source: any, deliver: () => void) => {
    const mine = sent?.get(source) ?? []
    mine.push(deliver)
    sent?.set(source, mine)
  }
  const step = (deliver: () => void) => {
    sent = new Map()
    deliver()
    const senders = [...sent].sort(([a], [b]) => rankOf(a) - rankOf(b))
    line.push(...senders.flatMap(([, mail]) => mail))
    sent = null
  }
  const work = (first: () => void) => {
    step(first)
    for (let next = line.shift(); next; next = line.shift()) step(next)
  }
  system._relay = (source: any, target: any, event: any) => {
    const deliver = () => {
      if (!isStale(source, target, event)) relay(source, target, event)
    }
    if (!sent) return work(deliver)
    awaited.push(target)
    post(source, () => {
      awaited.splice(awaited.indexOf(target), 1)
      deliver()
    })
  }
  const register = system._register
  system._register = (id: string, actor: any) => {
    const stop = actor._stop.bind(actor)
    actor._stop = () => {
      if (sent && awaited.includes(actor)) post(actor._parent, stop)
      else stop()
      return actor
    }
    return register(id, actor)
  }
  return work
}

/** Those who were there before come first, parents before their children. */
const rankOf = (actor: any): number => {
  let depth = 0
  for (let one = actor?._parent; one; one = one._parent) depth += 1
  return depth * 1_000_000 + Number(/\d+$/.exec(actor?.sessionId ?? '0')?.[0])
}

const NEWS = /^xstate\.(done\.actor|error\.actor|snapshot)\./

const isStale = (source: any, target: any, { type }: any): boolean =>
  source?._parent === target &&
  NEWS.test(type) &&
  target.getSnapshot().children[source.id] !== source
