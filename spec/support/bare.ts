// A value without what no codec keeps: secrets opened, properties that are undefined left out.
import { Secret } from '../../lib/secret.ts'

/** Deep equality sees nothing inside a Secret, so they are opened. */
export function bare(value: unknown): unknown {
  if (value instanceof Secret) return { secret: bare(value.reveal()) }
  if (Array.isArray(value)) return value.map(bare)
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [bare(key), bare(item)]))
  if (value instanceof Set) return new Set([...value].map(bare))
  if (Object.getPrototypeOf(value ?? 0) !== Object.prototype) return value
  const entries = Object.entries(value as object).filter(([, item]) => item !== undefined)
  return Object.fromEntries(entries.map(([key, item]) => [key, bare(item)]))
}
