// Targets that are none, taken out of a drawn machine.
// Promise: what is left are targets XState knows, and none into a history from inside the state it is of.

/**
 * Rules to nodes that are not there go nowhere instead. So do rules from inside a state to its own
 * history: XState (5.33) then enters again what it never left, and timers are armed twice.
 */
export function prune(config: unknown): unknown {
  return pruned(config, namesIn(config), [])
}

/** Every node there is, and for a history the parent it remembers for. */
function namesIn(config: any): Map<string, string | null> {
  const found = new Map<string, string | null>()
  const walk = (node: any, parent: string) => {
    found.set(`#${node.id}`, node.type === 'history' ? parent : null)
    for (const child of Object.values(node.states ?? {})) walk(child, node.id)
  }
  walk(config, '')
  return found
}

function pruned(value: any, names: Map<string, string | null>, inside: readonly string[]): any {
  if (Array.isArray(value)) return value.map((item) => pruned(item, names, inside))
  if (Object.getPrototypeOf(value ?? 0) !== Object.prototype) return value
  const here = typeof value.id === 'string' ? [...inside, value.id] : inside
  const isLost = (target: unknown): boolean => {
    if (Array.isArray(target)) return target.some(isLost)
    if (typeof target !== 'string' || !target.startsWith('#')) return false
    return !names.has(target) || inside.includes(names.get(target) ?? '')
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => !(key === 'target' && isLost(item)))
      .map(([key, item]) => [key, pruned(item, names, here)]),
  )
}
