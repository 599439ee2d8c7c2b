// What can go wrong with alarms, rules and notices; part of the table of errors.
import { entry } from './error-entry.ts'

export const ALARM_ERRORS = {
  RULE_INVALID: entry(
    'usage',
    '{kind} declares the alarm "{name}" in a way that cannot work: {reason}.',
    'Correct `static alarms`; nothing was started.',
  ),
  ALARM_UNKNOWN: entry(
    'notFound',
    'There is no alarm {key}.',
    'List them with `escapement alarms list --state all`.',
  ),
  MAINTENANCE_UNKNOWN: entry(
    'notFound',
    'There is no maintenance {id}, or it is over.',
    'List them with `escapement maintenance list`.',
  ),
  ALARM_CLOSED: entry(
    'conflict',
    'Alarm {key} is {state}, so there is nothing to acknowledge, silence or close.',
    'Open it again with `escapement alarms reopen` if it is needed.',
  ),
  ALARM_ACTIVE: entry(
    'conflict',
    'Alarm {key} is {state} already, so it cannot be opened again.',
    'Nothing to do: it is told again until it is acknowledged.',
  ),
} as const
