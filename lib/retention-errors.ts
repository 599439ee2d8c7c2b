// What can go wrong where history is removed for its age: a part of the error table.
import { entry } from './error-entry.ts'

export const RETENTION_ERRORS = {
  RETENTION_INVALID: entry(
    'usage',
    'The retention of this app is not valid: {where}: {reason}.',
    'Correct it in the app file; docs/retention.md lists every option.',
  ),
  RETENTION_ABSENT: entry(
    'usage',
    'This app keeps its history for ever: it has no retention plugin.',
    "Add `retention({ rules: { '*': { after: '90d', archive: 'archive' } } })` to the plugins of the app file, see docs/retention.md.",
  ),
  ARCHIVE_UNWRITABLE: entry(
    'unavailable',
    'The archive {folder} cannot be written: {reason}; nothing of this chunk was removed.',
    'Make the folder writable for the process of the clock, with space left; it goes on by itself at the next round.',
  ),
  STEP_ARCHIVED: entry(
    'conflict',
    'Task {task} of {kind}/{id} cannot go back {count} steps, only {most}: step {step} and those before it grew old and are archived or removed.',
    'Rewind fewer steps; how long steps are kept is said by the rules of `retention`, see docs/retention.md.',
  ),
} as const
