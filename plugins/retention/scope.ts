// Which kinds a rule is for: each kind has the rule of the nearest class that has one, else that of '*'.
// Promise: no kind is in two scopes; kinds nobody knows any more, and what belongs to no kind, are for '*'.
import type { Registry } from '../../models/index.ts'
import type { Term } from './options.ts'
import { unfit } from './options.ts'

/** A rule and whom it is for. */
export interface Scope {
  readonly rule: string
  readonly afterMs: number
  readonly folder: string | null
  /** Names under which its kinds are stored; null for all but `except`. */
  readonly names: readonly string[] | null
  readonly except: readonly string[]
}

/** @throws RETENTION_INVALID for a rule whose kind the app does not have, or that is there twice */
export function scopesOf(terms: ReadonlyMap<string, Term>, registry: Registry): Scope[] {
  const named = [...terms.keys()].filter((name) => name !== '*')
  const ruleOf = new Map<object, string>()
  for (const name of named) {
    const known = registry.kinds.map((kind) => kind.name).join(', ')
    if (!registry.has(name)) {
      throw unfit(`rules.${name}`, `this app has no such kind; it has ${known || 'none'}`)
    }
    const { shape } = registry.find(name)
    const twin = ruleOf.get(shape)
    if (twin !== undefined) throw unfit(`rules.${name}`, `it is the kind that "${twin}" names`)
    ruleOf.set(shape, name)
  }
  const names = new Map<string, string[]>(named.map((name) => [name, []]))
  for (const kind of registry.kinds) {
    const rule = nearest(kind.shape, ruleOf)
    if (rule !== null) names.get(rule)?.push(...kind.names)
  }
  const except = [...names.values()].flat().sort()
  return [...terms].flatMap(([rule, term]) => {
    if (term === null) return []
    const whose = rule === '*' ? { names: null, except } : { names: names.get(rule) ?? [] }
    return [{ rule, ...term, except: [], ...whose }]
  })
}

function nearest(shape: object, ruleOf: ReadonlyMap<object, string>): string | null {
  for (let at: object | null = shape; at !== null; at = Object.getPrototypeOf(at)) {
    const rule = ruleOf.get(at)
    if (rule !== undefined) return rule
  }
  return null
}

/** SQL: is this kind in the scope? The two parameters are `names` and `except`. */
export const isMeant = (kind: string, names: number, except: number): string =>
  `(CASE WHEN $${names}::text[] IS NULL THEN coalesce(${kind} <> ALL($${except}::text[]), true)
    ELSE coalesce(${kind} = ANY($${names}::text[]), false) END)`
