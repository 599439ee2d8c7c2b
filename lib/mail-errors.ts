// What can go wrong when a task is sent something or waited for: a part of the table of errors.
import { type ErrorEntry, entry } from './error-entry.ts'

export const MAIL_ERRORS = {
  TASK_FINISHED: entry(
    'conflict',
    'Task {task} of {kind}/{id} finished at {at} with status {status}.',
    'Its last step is in `escapement history`; start it again to have another run.',
  ),
  TASK_PARKED: entry(
    'conflict',
    'Task {task} of {kind}/{id} is {status}, so it cannot become what is waited for.',
    'See why with `escapement describe`; then `retry`, `rewind` or `stop` it.',
  ),
  EVENT_TOO_LARGE: entry(
    'usage',
    '{what} takes {bytes} bytes; the most is {limit}.',
    'Keep large data in a field or outside, and send what names it.',
  ),
  MAILBOX_FULL: entry(
    'unavailable',
    'The mailbox of task {task} of {kind}/{id} is full: {count} events wait in it.',
    'Send it again later, or see with `escapement describe` why the task takes none.',
  ),
  WAIT_TIMEOUT: entry(
    'failed',
    'Task {task} of {kind}/{id} did not become {what} within {timeoutMs} ms; it is {status} in {state}.',
    'Wait longer, or see with `escapement describe` what it waits for.',
  ),
  WAIT_ABANDONED: entry(
    'unavailable',
    'Waiting for task {task} of {kind}/{id} ended, because the app was closed.',
    'Nothing: the task goes on by itself. Wait again from an app that is open.',
  ),
} as const satisfies Record<string, ErrorEntry>
