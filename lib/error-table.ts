// Everything that can go wrong, as one table: code, exit status, sentence, what to do.
// docs/errors.md is kept equal to it by a spec.
import { ALARM_ERRORS } from './alarm-errors.ts'
import { BOUND_ERRORS } from './bound-errors.ts'
import { EFFECT_ERRORS } from './effect-errors.ts'
import { ENDS } from './end-errors.ts'
import { type ErrorEntry, entry } from './error-entry.ts'
import { HOLD_ERRORS } from './hold-errors.ts'
import { MAIL_ERRORS } from './mail-errors.ts'
import { NOTICE_ERRORS } from './notice-errors.ts'
import { RETENTION_ERRORS } from './retention-errors.ts'

export const ERRORS = {
  // configuration and start-up
  CONFIG_INVALID: entry(
    'usage',
    'The configuration is not valid: {problems}.',
    'Correct each named variable and start again.',
  ),
  DATA_FOLDER_IN_USE: entry(
    'conflict',
    'The data folder {folder} is in use by process {pid}.',
    'Stop that process, or set ESCAPEMENT_DATA to another folder, or use DATABASE_URL to share a database between processes.',
  ),
  EMBEDDED_STOPPED: entry(
    'unavailable',
    'The embedded database stopped: {reason}.',
    'Start the program again: what was committed is kept. If it happens again with the same query, that query is too deep or too large for it; use DATABASE_URL.',
  ),
  TRANSACTION_STUCK: entry(
    'failed',
    'The transaction was rolled back: it rested for {seconds} s while {waiting} others waited for the embedded database, which has one session.',
    'Do not await another connection inside a transaction: run those queries in the transaction, or after its end.',
  ),
  DATABASE_UNREACHABLE: entry(
    'unavailable',
    'The database at {where} cannot be reached: {reason}.',
    'Check DATABASE_URL and that PostgreSQL is running and reachable from here.',
  ),
  REDIS_UNREACHABLE: entry(
    'unavailable',
    'Redis at {where} cannot be reached: {reason}.',
    'Check REDIS_URL and that Redis is running and reachable from here.',
  ),
  METRICS_UNBOUND: entry(
    'unavailable',
    'The metrics cannot be served at {host}:{port}: {reason}.',
    'Give each process on a machine a port of its own: `metrics({ port })`; everything else goes on meanwhile.',
  ),
  REDIS_EVICTS: entry(
    'usage',
    'Redis at {where} evicts keys when its memory is full (maxmemory-policy is "{policy}").',
    'Set maxmemory-policy to noeviction: tickets and locks must not be thrown away while they are in use.',
  ),
  MIGRATIONS_PENDING: entry(
    'usage',
    'The database schema "{schema}" is not up to date: {pending}.',
    'Run `escapement migrate` first.',
  ),

  // keys and messages
  KEYS_MISSING: entry(
    'usage',
    'There are no encryption keys.',
    'Run `escapement keys generate` and put its output in ESCAPEMENT_KEYS, or name a file in ESCAPEMENT_KEYS_FILE.',
  ),
  KEY_MISMATCH: entry(
    'usage',
    'Encryption key {id} is not the key {id} that this database knows.',
    'Use the same ESCAPEMENT_KEYS in every process; compare them with `escapement keys status`.',
  ),
  KEY_ABSENT: entry(
    'usage',
    'This database holds values sealed with key {id}, which is not in the keyring.',
    'Add key {id} to ESCAPEMENT_KEYS; to be rid of it, run `escapement keys reencrypt` where it is present.',
  ),
  KEY_INVALID: entry(
    'usage',
    'Encryption key {id} is not usable: {reason}.',
    'A key is 32 random bytes in base64url; make one with `escapement keys generate`.',
  ),
  SEAL_UNKNOWN_KEY: entry(
    'failed',
    'A sealed value names key {id}, which is not in the keyring.',
    'Add the missing key to ESCAPEMENT_KEYS; a key may be removed only when `escapement keys status` shows nothing sealed with it.',
  ),
  SEAL_BROKEN: entry(
    'failed',
    'A sealed value cannot be opened.',
    'The value was altered, cut, sealed for another purpose, or sealed with another key; check ESCAPEMENT_KEYS.',
  ),
  TICKET_REFUSED: entry(
    'failed',
    'A queue message was refused: {reason}.',
    'The message is dropped and the clock will issue a new one; if many are refused, check that all processes have the same ESCAPEMENT_KEYS.',
  ),
  VALUE_NOT_STORABLE: entry(
    'usage',
    'The value at {path} cannot be stored: {reason}.',
    'Keep plain data there: text, numbers, booleans, null, arrays, plain objects, Date, Map, Set, BigInt, secrets and references.',
  ),
  VALUE_CORRUPT: entry(
    'failed',
    'A stored value cannot be read: {reason}.',
    'The row was changed by hand or by a newer version; restore it or update the program.',
  ),
  KEYS_FILE_EXISTS: entry(
    'conflict',
    'There is a file {file} already.',
    'Add a key to it with `escapement keys rotate`; replace it only if nothing is sealed with its keys.',
  ),

  // the app and its definitions
  APP_NOT_FOUND: entry(
    'usage',
    'There is no app file at {path}.',
    'Give the path of your app file with --app or ESCAPEMENT_APP.',
  ),
  APP_NOT_NAMED: entry(
    'usage',
    'No app file was named.',
    'Give it with --app or ESCAPEMENT_APP, or name it in package.json: "escapement": { "app": "app.ts" }.',
  ),
  APP_BROKEN: entry(
    'failed',
    'The app file {path} failed while loading: {reason}.',
    'Correct the error in the file.',
  ),
  APP_NOT_EXPORTED: entry(
    'usage',
    'The app file {path} exports no app.',
    'Export the result of `defineApp({ resources: [...] })` as the default export.',
  ),
  RESOURCE_DUPLICATE: entry(
    'usage',
    'Two resource classes are both named "{kind}".',
    'Rename one of them, or give it another `static kind`.',
  ),
  NAME_TAKEN: entry(
    'usage',
    '{kind} names a {what} "{name}", which is {why}.',
    'Choose another name.',
  ),
  NAME_INVALID: entry(
    'usage',
    '"{name}" cannot be the name of a {what} in {kind}.',
    'Use letters, digits and underscores, starting with a letter, at most 60 characters.',
  ),
  MACHINE_INVALID: entry(
    'usage',
    'The machine of task {kind}.{task} is not valid at {path}: {reason}.',
    'Correct the machine; nothing was started.',
  ),
  MACHINES_FAULTY: entry(
    'failed',
    'Machines checked: {machines}, with errors: {errors}, and warnings: {warnings}.',
    'Correct what the list says and run `escapement machines lint` again.',
  ),
  FIELDS_INVALID: entry(
    'usage',
    'The fields of {kind} are not valid: {problems}.',
    'Correct the named fields; nothing was changed.',
  ),
  FIELD_UNKNOWN: entry(
    'usage',
    '{kind} has no field "{name}". Its fields: {known}.',
    'Correct the name, or declare the field in `static fields`.',
  ),

  // finding and changing things
  RESOURCE_KIND_UNKNOWN: entry(
    'notFound',
    'There is no resource type "{kind}". Known types: {known}.',
    'Correct the name, or add the class to the app.',
  ),
  RESOURCE_UNKNOWN: entry(
    'notFound',
    'There is no {kind} with id {id}.',
    'List them with `escapement get {kind}`.',
  ),
  TASK_UNKNOWN: entry(
    'notFound',
    '{kind} has no task "{task}". Its tasks: {known}.',
    'Correct the name, or declare the task in `static tasks`.',
  ),
  STATE_UNKNOWN: entry(
    'failed',
    'The step "{step}" answered {answer}, which is no state. It may answer {known}.',
    'Correct the answer of the step; then let the task go on with `escapement retry`.',
  ),
  EVENT_UNKNOWN: entry(
    'usage',
    'Task {kind}.{task} knows no event "{event}". Its events: {known}.',
    'Correct the name of the event.',
  ),
  TASK_NOT_RUNNING: entry(
    'conflict',
    'Task {task} of {kind}/{id} is not running.',
    'Start it first, or look at `escapement history`.',
  ),
  TASK_NOT_PAUSED: entry(
    'conflict',
    'Task {task} of {kind}/{id} is not paused.',
    'There is nothing to resume; see `escapement get tasks`.',
  ),
  RESOURCE_STOPPED: entry(
    'conflict',
    '{kind}/{id} is stopped, so its task {task} cannot start.',
    'Start the resource again first.',
  ),
  STEP_UNKNOWN: entry(
    'usage',
    'Task {task} of {kind}/{id} cannot be rewound {count} steps: only {most} can be undone.',
    'Give a smaller number; `escapement history` lists the steps.',
  ),
  DESYNCHRONIZED: entry(
    'conflict',
    'Task {task} moved on from step {expected} before this change could be committed.',
    'Read the task again and repeat the change if it still makes sense.',
  ),
  ARGUMENT_INVALID: entry(
    'usage',
    '{what} is not valid: {reason}.',
    'Correct it and repeat the command; nothing was changed.',
  ),
  COMMAND_INVALID: entry(
    'usage',
    'The command is not valid: {problem}.',
    'See `escapement {command}--help`; nothing was changed.',
  ),
  CONFIRMATION_MISSING: entry(
    'usage',
    'This {deed}, and nobody confirmed it.',
    'Repeat the command with --yes.',
  ),
  RUN_UNKNOWN: entry(
    'notFound',
    'There is no run with id {id}.',
    'List them with `escapement get tasks`.',
  ),
  DUPLICATE_SEND: entry(
    'conflict',
    'An event with the dedup key "{key}" was already sent to this task.',
    'Nothing to do: the first one counts.',
  ),

  // ends, deletions and owners
  ...ENDS,

  // running
  ...MAIL_ERRORS,
  ...EFFECT_ERRORS,
  ...NOTICE_ERRORS,
  ...RETENTION_ERRORS,
  ...HOLD_ERRORS,
  ...BOUND_ERRORS,
  ...ALARM_ERRORS,
  STATE_CORRUPT: entry(
    'failed',
    'The stored snapshot of task {task} is not one its machine could have written: {reason}.',
    'The task is parked; rewind it, or deploy a definition that knows the state.',
  ),
  STATE_TIMEOUT: entry(
    'failed',
    'State {state} lasted longer than {timeoutMs} ms.',
    'Look at what it waits for; `escapement retry` gives it the same time again, an event may lead it on.',
  ),
  STATE_STRANDED: entry(
    'failed',
    'Task {task} rests where version {version} of its machine cannot hold it: {reason}.',
    'Deploy a definition that knows the state, or a migration of its snapshots; then let the task go on with `escapement retry`.',
  ),
  WORKER_BLIND: entry(
    'failed',
    'The worker stopped itself: it could open none of the last messages.',
    'Give all processes the same ESCAPEMENT_KEYS, ESCAPEMENT_QUEUE and ESCAPEMENT_SCHEMA; messages it dropped are issued again.',
  ),
  TASKS_PANICKED: entry(
    'failed',
    'Nothing is left to do, but {count} tasks are parked by a panic: {tasks}.',
    'See why with `escapement explain` or `escapement panics list`; then `escapement panics retry`, `goto` or `stop` them.',
  ),
  CHECKS_FAILED: entry(
    'failed',
    '{count} of {all} checks failed: {names}.',
    'Correct what the checks say and run `escapement doctor` again.',
  ),
  COMMIT_UNKNOWN: entry(
    'unavailable',
    'It is not known whether a change was committed: {reason}.',
    'Read the task again before repeating the change.',
  ),
} as const satisfies Record<string, ErrorEntry>
