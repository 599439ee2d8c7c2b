// What can be wrong with shares, tenants, quotas and queues: a part of the table of errors.
import { type ErrorEntry, entry } from './error-entry.ts'

export const BOUND_ERRORS = {
  TENANT_INVALID: entry(
    'usage',
    'The tenant of {kind} cannot be its field "{tenant}": {reason}.',
    'Name a field of the class in `static tenant`; docs/queues.md shows how.',
  ),
  SHARE_INVALID: entry(
    'usage',
    'The share of "{share}" is not valid: {reason}.',
    'Correct `shares` of the app; docs/queues.md shows how.',
  ),
  QUEUE_INVALID: entry(
    'usage',
    'The queue of {kind} cannot be {queue}: {reason}.',
    'Correct `static queue` of the class; docs/queues.md shows how.',
  ),
  QUOTA_INVALID: entry(
    'usage',
    'The quota of {kind} is not valid: {reason}.',
    'Correct `static quota` of the class; docs/queues.md shows how.',
  ),
} as const satisfies Record<string, ErrorEntry>
