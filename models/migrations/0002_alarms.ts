// What is kept for the times when things go wrong: alarms, notices, holds, and who is at work.
// Promise: an alarm outlives what it is about; a notice is a row of the commit that gave rise to it; no row of these
// holds a secret.
import type { Knex, Migration } from '../../lib/database.ts'

const TABLES = `
  -- A condition that wants a human, one row for each key; rest is the snapshot of its machine.
  CREATE TABLE alarms (
    id uuid PRIMARY KEY,
    key text NOT NULL UNIQUE CHECK (length(key) <= 255),
    name text NOT NULL,
    kind text,
    resource_id uuid,
    task_id uuid,
    task text,
    -- What closes it by itself: the next move of its task, the end of its being parked, or nothing.
    closes text NOT NULL CHECK (closes IN ('moved', 'freed', 'told')),
    severity text NOT NULL CHECK (severity IN ('critical', 'error', 'warning', 'info')),
    state text NOT NULL CHECK (state IN ('pending', 'open', 'reopened', 'acknowledged', 'silenced', 'closed')),
    -- Is its condition over for the time being?
    is_clearing boolean NOT NULL DEFAULT false,
    message text NOT NULL,
    playbook text,
    labels jsonb NOT NULL DEFAULT '{}',
    detail jsonb,
    count integer NOT NULL,
    -- How often it was opened.
    episode integer NOT NULL,
    owner text,
    note text,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    opened_at timestamptz,
    closed_at timestamptz,
    rest jsonb NOT NULL,
    due_at timestamptz,
    version bigint NOT NULL
  ) WITH (fillfactor = 70);
  CREATE INDEX alarms_due ON alarms (due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX alarms_active ON alarms (resource_id) WHERE state <> 'closed';
  CREATE INDEX alarms_by_task ON alarms (task_id) WHERE task_id IS NOT NULL;

  CREATE TABLE alarm_changes (
    id bigserial PRIMARY KEY,
    alarm_id uuid NOT NULL REFERENCES alarms ON DELETE CASCADE,
    version bigint NOT NULL,
    event text NOT NULL,
    from_state text NOT NULL,
    to_state text NOT NULL,
    actor text NOT NULL,
    reason text,
    unit_id uuid NOT NULL,
    at timestamptz NOT NULL
  );
  CREATE INDEX alarm_changes_by_alarm ON alarm_changes (alarm_id, id);

  -- Times at which nobody is told of what matches; an empty match is all there is.
  CREATE TABLE maintenances (
    id uuid PRIMARY KEY,
    kind text,
    -- A resource, and all that belong to it.
    resource_id uuid,
    name text,
    from_at timestamptz NOT NULL,
    until_at timestamptz NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL
  );

  -- Something to be told. waiting: nobody has it yet; handed: a teller has; held: not now; dropped: not any more.
  CREATE TABLE notices (
    id uuid PRIMARY KEY,
    seq bigserial NOT NULL,
    type text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('critical', 'error', 'warning', 'info')),
    alarm_id uuid,
    episode integer,
    kind text,
    resource_id uuid,
    task text,
    message text NOT NULL,
    labels jsonb NOT NULL DEFAULT '{}',
    payload jsonb NOT NULL,
    status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'handed', 'held', 'dropped')),
    held_by text,
    unit_id uuid NOT NULL,
    at timestamptz NOT NULL
  );
  CREATE INDEX notices_waiting ON notices (seq) WHERE status = 'waiting';
  CREATE INDEX notices_held ON notices (seq) WHERE status = 'held';
  CREATE INDEX notices_by_alarm ON notices (alarm_id) WHERE alarm_id IS NOT NULL;
  CREATE INDEX notices_by_age ON notices (at);

  -- What is kept from going on, and by what: resource:ID, task:KIND.NAME, queue:NAME or dependency:NAME.
  CREATE TABLE holds (
    scope text NOT NULL,
    by text NOT NULL CHECK (by IN ('pause', 'breaker', 'limit')),
    -- shut: nothing passes; trial: one does, to see whether it works again; open: what it put off is being let go.
    state text NOT NULL CHECK (state IN ('shut', 'trial', 'open')),
    actor text NOT NULL,
    reason text,
    since timestamptz NOT NULL,
    until timestamptz,
    -- Until when the one that passed in a trial is waited for.
    probe_at timestamptz,
    -- How often it was shut in a row.
    round integer NOT NULL DEFAULT 1,
    PRIMARY KEY (scope, by)
  );
  -- Those that are not of one resource alone: every claim reads them.
  CREATE INDEX holds_shared ON holds (scope) WHERE left(scope, 9) <> 'resource:';
  CREATE INDEX holds_ending ON holds (until) WHERE state <> 'trial';
  -- What is put off, for whoever lets it go.
  CREATE INDEX dues_held ON dues (task_id) WHERE reason LIKE 'held:%';

  CREATE TABLE hold_changes (
    id bigserial PRIMARY KEY,
    scope text NOT NULL,
    by text NOT NULL,
    event text NOT NULL,
    until timestamptz,
    actor text NOT NULL,
    reason text,
    unit_id uuid NOT NULL,
    at timestamptz NOT NULL
  );
  CREATE INDEX hold_changes_by_scope ON hold_changes (scope, id);

  -- How effects behind a breaker have ended lately, by the second.
  CREATE TABLE breaker_counts (
    scope text NOT NULL,
    at timestamptz NOT NULL,
    ok integer NOT NULL,
    failed integer NOT NULL,
    PRIMARY KEY (scope, at)
  ) WITH (fillfactor = 50);

  -- Who is at work: processes that tick or look for what is due, and when they were last heard of.
  CREATE TABLE workers (
    id text PRIMARY KEY,
    role text NOT NULL CHECK (role IN ('clock', 'worker')),
    host text NOT NULL,
    pid integer NOT NULL,
    queue text NOT NULL,
    concurrency integer,
    -- How often it says that it is alive.
    pulse_ms integer NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    stopped_at timestamptz
  );
`

export const alarms: Migration = {
  name: '0002_alarms',

  async up(knex: Knex) {
    await knex.raw(TABLES)
  },

  async down(knex: Knex) {
    await knex.raw(
      `DROP INDEX dues_held; DROP TABLE workers, breaker_counts, hold_changes, holds, notices, maintenances, alarm_changes, alarms`,
    )
  },
}
