// What a user writes to say how long history is kept, checked when the app loads.
// Promise: what is wrong is one sentence that names the rule and the option.
import { resolve } from 'node:path'
import * as z from 'zod'
import { type Duration, toMs } from '../../lib/duration.ts'
import { fault } from '../../lib/errors.ts'

export interface RetentionRule {
  /** How long history is kept, an hour at least. */
  readonly after: Duration
  /** The folder into which it is written before it is removed; null: it is only removed. */
  readonly archive: string | null
}

export interface RetentionOptions {
  /** By the name of a type, its subclasses included; '*' is for all others. 'keep' keeps everything. */
  readonly rules: Readonly<Record<string, RetentionRule | 'keep'>>
  /** How long from one round to the next. Default '1h'. */
  readonly every?: Duration
  /** Rows of one transaction, at most. Default 2000. */
  readonly chunk?: number
  /** The pause after each. Default '100ms'. */
  readonly pause?: Duration
}

/** A rule that was checked; null where everything is kept. */
export type Term = { readonly afterMs: number; readonly folder: string | null } | null

export interface Settings {
  readonly terms: ReadonlyMap<string, Term>
  readonly everyMs: number
  readonly chunk: number
  readonly pauseMs: number
}

const HOUR_MS = 3_600_000
const CENTURY_MS = 100 * 366 * 24 * HOUR_MS
const MOST_CHUNK = 10_000

export const unfit = (where: string, reason: string): Error =>
  fault('RETENTION_INVALID', { where, reason })

const duration = (leastMs: number, least: string) =>
  z
    .union([z.number(), z.string()], { error: "is no duration such as '90d'" })
    .transform((given, context) => {
      try {
        const ms = toMs(given, 'it', CENTURY_MS)
        if (ms >= leastMs) return ms
        context.addIssue(`is shorter than ${least}`)
      } catch {
        context.addIssue("is no duration such as '90d'")
      }
      return z.NEVER
    })

const folder = z
  .string({ error: 'is neither a folder nor null' })
  .min(1, 'is neither a folder nor null')
  .nullable()

const chunk = `is no whole number from 1 to ${MOST_CHUNK}`

const schema = z.strictObject({
  rules: z
    .record(
      z.string(),
      z.union([
        z.literal('keep'),
        // A commit that got no answer is looked up in the history, so the last hour of it always stays.
        z.strictObject({ after: duration(HOUR_MS, 'an hour'), archive: folder }),
      ]),
      { error: 'is no object of rules' },
    )
    .refine((rules) => Object.keys(rules).length > 0, 'is empty'),
  every: duration(1_000, 'a second').default(HOUR_MS),
  chunk: z.int({ error: chunk }).min(1, chunk).max(MOST_CHUNK, chunk).default(2_000),
  pause: duration(0, 'nothing').default(100),
})

/** @throws RETENTION_INVALID */
export function settingsOf(options: RetentionOptions): Settings {
  const found = schema.safeParse(options)
  if (!found.success) throw invalid(found.error)
  const { rules, every: everyMs, chunk, pause: pauseMs } = found.data
  const terms = Object.entries(rules).map(([name, rule]): [string, Term] => [
    name,
    rule === 'keep'
      ? null
      : { afterMs: rule.after, folder: rule.archive === null ? null : resolve(rule.archive) },
  ])
  return { terms: new Map(terms), everyMs, chunk, pauseMs }
}

/** The first problem; of a rule that is neither 'keep' nor an object that fits, what is wrong with the object. */
function invalid({ issues }: z.ZodError): Error {
  const [first] = issues as [z.core.$ZodIssue]
  const inner = first.code === 'invalid_union' ? first.errors.at(-1)?.[0] : undefined
  const path = [...first.path, ...(inner?.path ?? [])].join('.')
  const { message } = inner ?? first
  const isNoRule = inner?.code === 'invalid_type' && inner.path.length === 0
  return unfit(path || 'options', isNoRule ? "is neither 'keep' nor { after, archive }" : message)
}
