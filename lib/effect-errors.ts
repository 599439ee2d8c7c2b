// What can go wrong with an effect, and why one is told to stop: a part of the table of errors.
// The codes of the latter are what `signal.reason` of an effect carries.
import { type ErrorEntry, entry } from './error-entry.ts'

export const EFFECT_ERRORS = {
  EFFECT_TIMEOUT: entry(
    'failed',
    'Effect "{effect}" did not finish within {timeoutMs} ms.',
    'Give it a longer `timeout`, or make it faster.',
  ),
  EFFECT_SILENT: entry(
    'failed',
    'Effect "{effect}" gave no sign of life for {heartbeatMs} ms.',
    'Call `work.heartbeat()` or `work.progress()` more often, or give the effect a longer `heartbeat`.',
  ),
  EFFECT_OVERDUE: entry(
    'failed',
    'Effect "{effect}" had no success within {withinMs} ms, all attempts together.',
    'Give it a longer `within`, or see in `escapement describe` why its attempts failed.',
  ),
  STATE_LEFT: entry(
    'failed',
    'The state that invoked effect "{effect}" was left, so the effect was told to stop.',
    'Nothing to do: what the effect answers now is not heard.',
  ),
  TASK_STOPPED: entry(
    'failed',
    'Task {task} ended or was parked, so its effect "{effect}" was told to stop.',
    'Nothing to do: what the effect answers now is not heard.',
  ),
  LEASE_LOST: entry(
    'failed',
    'This worker may not tick resource {resourceId} any more, so what it had in hand was told to stop.',
    'Nothing to do: whoever has the resource next goes on from the last commit, and effects run again with their keys.',
  ),
  WORKER_DRAINING: entry(
    'failed',
    'The worker drains and its grace ran out, so what it had in hand was told to stop.',
    'Nothing to do: another worker goes on from the last commit; give a longer ESCAPEMENT_GRACE_MS to wait longer.',
  ),
  TASK_POISONOUS: entry(
    'failed',
    'Task {task} took down {count} processes, one after another, and is not run any more: {who}.',
    'Look at what those processes said last. Correct the program, then `escapement retry` gives the task three more lives; or stop it.',
  ),
} as const satisfies Record<string, ErrorEntry>
