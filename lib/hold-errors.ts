// What can go wrong with pauses and breakers: a part of the table of errors.
import { type ErrorEntry, entry } from './error-entry.ts'

export const HOLD_ERRORS = {
  DEPENDENCY_UNKNOWN: entry(
    'notFound',
    'No effect names the dependency "{dependency}", and neither does `breakers` of the app. Known: {known}.',
    'Use one of the known names, or declare it with `effect(…, { breaker: … })`.',
  ),
  BREAKER_INVALID: entry(
    'usage',
    'The breaker of {where} is not valid: {reason}.',
    'Correct its options; docs/holds.md lists them.',
  ),
} as const satisfies Record<string, ErrorEntry>
