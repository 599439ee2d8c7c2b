// What can go wrong when runs and resources come to their end, and with what owns tasks: a part of the error table.
import { entry } from './error-entry.ts'

export const ENDS = {
  TASK_STOPPING: entry(
    'conflict',
    'Task {task} of {kind}/{id} is stopping: its exit machine is not done.',
    'Wait for it, see `escapement describe`; `escapement retry` lets a panicked one go on, `escapement stop --force` ends it at once.',
  ),
  RESOURCE_DELETING: entry(
    'conflict',
    '{kind}/{id} is being deleted, so its task {task} cannot start.',
    'Wait until it is gone, or make another.',
  ),
  RESOURCE_HAS_CHILDREN: entry(
    'conflict',
    '{kind}/{id} cannot be deleted: {count} resources belong to it.',
    'Delete them first, or with it: `escapement delete --cascade`.',
  ),
  RESOURCE_UNDELETABLE: entry(
    'usage',
    '{kind}/{id} cannot be deleted: the life of {kind} has no state "deleting".',
    'Give its `static life` one, see docs/resources.md, or take the row away at once: `escapement delete --force`.',
  ),
  TRANSACTION_FOREIGN: entry(
    'usage',
    'The transaction cannot carry this change: {reason}.',
    'Hand over an open transaction of the database this app uses: a pg client, or what `app.transaction` lends.',
  ),
  ROW_UNKNOWN: entry(
    'notFound',
    'There is no row of {table} whose {column} is {key}.',
    'Look whether it was deleted; `row()` finds only rows that are committed.',
  ),
} as const
