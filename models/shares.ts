// The shares of an app: how kinds, and the tenants of a kind, share what one look of a clock may take.
// Promise: checked when the app loads; whoever is not named weighs 1.
import { distance } from 'fastest-levenshtein'
import { fault } from '../lib/errors.ts'
import { kindOf, type WeightOf } from '../lib/share.ts'
import type { Registry } from './registry.ts'

/** Weights by kind, or by `KIND/TENANT` among the tenants of a kind. */
export type ShareMap = Readonly<Record<string, number>>

const MOST = 1_000
const LEAST = 0.001

/** @throws SHARE_INVALID */
export function weightsOf(shares: ShareMap = {}, registry: Registry): WeightOf {
  const known = registry.kinds.map(({ name }) => name)
  for (const [share, weight] of Object.entries(shares)) {
    const kind = kindOf(share)
    const [near] = [...known].sort((a, b) => distance(a, kind) - distance(b, kind))
    const reason = !known.includes(kind)
      ? `no class is called "${kind}"; did you mean "${near}"?`
      : share !== kind && registry.find(kind).tenant === null
        ? `${kind} has no tenants; give it static tenant = 'field'`
        : !(weight >= LEAST && weight <= MOST)
          ? `its weight is ${JSON.stringify(weight)}; it is a number from ${LEAST} to ${MOST}`
          : null
    if (reason !== null) throw fault('SHARE_INVALID', { share, reason })
  }
  // A row keeps the name its type had when the run began.
  return (share) => {
    const kind = kindOf(share)
    return shares[registry.today(kind, '').kind + share.slice(kind.length)] ?? 1
  }
}
