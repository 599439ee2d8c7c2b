// What can go wrong when somebody is to be told: a part of the error table.
import { entry } from './error-entry.ts'

export const NOTICE_ERRORS = {
  NOTIFICATIONS_INVALID: entry(
    'usage',
    'The notifications of this app are not valid: {where}: {reason}.',
    'Correct it in the app file; docs/notifications.md lists every option.',
  ),
  NOTIFICATIONS_ABSENT: entry(
    'usage',
    'This app tells nobody: it has no notifications plugin.',
    'Add `notifications({ routes: [...] })` to the plugins of the app file, see docs/notifications.md.',
  ),
  DELIVERY_FAILED: entry(
    'failed',
    'Route {route} could not deliver: {reason}.',
    'It is tried again until its attempts are spent; then it is kept, see `escapement notices list --status dead`, and `escapement notices retry` sends it again.',
  ),
  TARGET_BLOCKED: entry(
    'failed',
    '{host} was not called: its address {address} is {range}.',
    "If that is meant, name the address in `allowPrivate`, such as ['{address}'], see docs/notifications.md.",
  ),
} as const
