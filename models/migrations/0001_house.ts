// The whole schema on one screen.
// Promise: hot columns (dues, leases) live apart from wide ones (fields, snapshots); the snapshot of a
// task is the row of its last resting step, so it is written once; steps are unique per task.
import type { Knex, Migration } from '../../lib/database.ts'

const TABLES = `
  CREATE TABLE resources (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    parent_id uuid REFERENCES resources,
    state text NOT NULL DEFAULT '__new__',
    fields jsonb NOT NULL DEFAULT '{}',
    lost_and_found jsonb,
    -- What was last said of it: status, reason, since, by.
    availability jsonb,
    version bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
  );
  CREATE INDEX resources_by_kind ON resources (kind, id);
  CREATE INDEX resources_by_parent ON resources (parent_id) WHERE parent_id IS NOT NULL;
  CREATE INDEX resources_by_availability ON resources ((availability->>'status')) WHERE availability IS NOT NULL;

  -- What became of resources that are gone.
  CREATE TABLE tombstones (
    id bigserial PRIMARY KEY,
    resource_id uuid NOT NULL,
    kind text NOT NULL,
    parent_id uuid,
    state text NOT NULL,
    is_forced boolean NOT NULL,
    actor text NOT NULL,
    reason text,
    unit_id uuid NOT NULL,
    at timestamptz NOT NULL
  );
  CREATE INDEX tombstones_by_resource ON tombstones (resource_id);
  CREATE INDEX tombstones_by_unit ON tombstones (unit_id);

  -- What was done to a resource from outside, by whom and why; what a step does is in its transition.
  CREATE TABLE changes (
    id bigserial PRIMARY KEY,
    resource_id uuid NOT NULL REFERENCES resources ON DELETE CASCADE,
    version bigint,
    event text NOT NULL,
    fields text[] NOT NULL,
    actor text NOT NULL,
    reason text,
    unit_id uuid NOT NULL,
    at timestamptz NOT NULL
  );
  CREATE INDEX changes_by_resource ON changes (resource_id, id);
  CREATE INDEX changes_by_unit ON changes (unit_id);

  -- Who ticks a resource: every claim raises the fence, every commit must still hold it.
  CREATE TABLE leases (
    resource_id uuid PRIMARY KEY REFERENCES resources ON DELETE CASCADE,
    fence bigint NOT NULL DEFAULT 0,
    owner text,
    claimed_at timestamptz,
    -- Of kinds with a quota: what was used in the period that began then, as of which fence.
    period_at timestamptz,
    used_steps integer,
    used_ms integer,
    used_fence bigint
  ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0.05);

  CREATE TABLE tasks (
    id uuid PRIMARY KEY,
    resource_id uuid NOT NULL REFERENCES resources ON DELETE CASCADE,
    name text NOT NULL,
    machine_version text NOT NULL,
    step integer NOT NULL,
    rest_step integer NOT NULL,
    status text NOT NULL CHECK (status IN ('running', 'paused', 'panicked', 'stranded', 'stopping', 'stopped', 'failed', 'done')),
    state text NOT NULL,
    tries jsonb,
    -- Of a run that a machine has spawned: by which sources, under which id.
    origin jsonb,
    -- Its actors that others of its tree can find by a system id.
    system jsonb,
    -- How many processes died over it since it last moved, and which.
    strikes smallint NOT NULL DEFAULT 0,
    struck_by text[],
    -- Has it an alarm that may close when it moves?
    is_alarmed boolean NOT NULL DEFAULT false,
    started_at timestamptz NOT NULL,
    moved_at timestamptz NOT NULL,
    finished_at timestamptz
  ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0.05);
  -- At most one live run per resource and name.
  CREATE UNIQUE INDEX tasks_one_live ON tasks (resource_id, name) WHERE finished_at IS NULL;
  -- Few of many: those that wait for somebody to help.
  CREATE INDEX tasks_parked ON tasks (id) WHERE status IN ('panicked', 'stranded');
  CREATE INDEX tasks_by_resource ON tasks (resource_id, started_at);
  -- Ended runs by age, for whoever removes them.
  CREATE INDEX tasks_ended ON tasks (split_part(name, '/', 1), finished_at) WHERE finished_at IS NOT NULL;
  CREATE INDEX tasks_with_system ON tasks (resource_id) WHERE system IS NOT NULL AND finished_at IS NULL;

  CREATE TABLE transitions (
    task_id uuid NOT NULL REFERENCES tasks ON DELETE CASCADE,
    step integer NOT NULL,
    base integer,
    from_state text NOT NULL,
    to_state text NOT NULL,
    event text NOT NULL,
    payload jsonb,
    snapshot jsonb,
    actor text NOT NULL,
    reason text,
    -- What the code of the step had to say.
    message text,
    fence bigint,
    unit_id uuid NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (task_id, step)
  ) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02,
    autovacuum_freeze_min_age = 1000000);
  -- In the order in which it grows old, for whoever removes it; docs/decisions/0014-history-leaves-in-chunks.md says why no BRIN.
  CREATE INDEX transitions_by_age ON transitions (at);
  -- Few of many: steps that may be based on one long gone.
  CREATE INDEX transitions_rewound ON transitions (task_id, step) WHERE event = '__rewind__';

  -- When a task wants its next turn. look_at is when a clock should look: the due time, or later
  -- while somebody has already been told. wakes counts rings, so that none is lost.
  CREATE TABLE dues (
    task_id uuid PRIMARY KEY REFERENCES tasks ON DELETE CASCADE,
    resource_id uuid NOT NULL,
    due_at timestamptz,
    look_at timestamptz,
    wakes bigint NOT NULL DEFAULT 0,
    -- Whose turn it takes when more is due than one look takes: a kind, or KIND/TENANT; lower ranks first within it.
    rank smallint NOT NULL DEFAULT 5 CHECK (rank BETWEEN 0 AND 9),
    share text NOT NULL,
    reason text NOT NULL
  ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0.05);
  CREATE INDEX dues_to_look_at ON dues (look_at) WHERE look_at IS NOT NULL;
  -- The same by share and rank: read only while more is due than one look takes.
  CREATE INDEX dues_by_share ON dues (share, rank, look_at) WHERE look_at IS NOT NULL;
  CREATE INDEX dues_by_resource ON dues (resource_id);

  CREATE TABLE events (
    id bigserial PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE,
    task_id uuid NOT NULL REFERENCES tasks ON DELETE CASCADE,
    type text NOT NULL,
    payload jsonb,
    dedup_key text,
    sender text,
    recipient text,
    actor text NOT NULL,
    reason text,
    unit_id uuid NOT NULL,
    sent_at timestamptz NOT NULL,
    expires_at timestamptz,
    consumed_at timestamptz
  ) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
  -- Rows without a key are in it too: the end of a run asks for all of its events.
  CREATE UNIQUE INDEX events_once ON events (task_id, dedup_key);
  CREATE INDEX events_waiting ON events (task_id, id) WHERE consumed_at IS NULL;

  CREATE TABLE failures (
    id uuid PRIMARY KEY,
    resource_id uuid NOT NULL REFERENCES resources ON DELETE CASCADE,
    task_id uuid NOT NULL REFERENCES tasks ON DELETE CASCADE,
    step integer NOT NULL,
    effect text,
    attempt integer NOT NULL,
    class text NOT NULL,
    code text,
    message text NOT NULL,
    severity text NOT NULL DEFAULT 'error',
    is_retryable boolean NOT NULL DEFAULT true,
    -- What whoever is called should do.
    playbook text,
    -- Stack, causes and context, without secrets.
    detail jsonb,
    -- What the effect needed, if it said so.
    dependency text,
    at timestamptz NOT NULL
  );
  CREATE INDEX failures_by_task ON failures (task_id, at);
  CREATE INDEX failures_by_resource ON failures (resource_id, at);
  CREATE INDEX failures_by_age ON failures (at);

  -- Keys that may have sealed something here, by fingerprint; never the keys themselves.
  CREATE TABLE keys (id integer PRIMARY KEY, fingerprint text NOT NULL);

  -- The lock of the settings without Redis: a hint, so it need not outlive the server.
  CREATE UNLOGGED TABLE locks (
    key text PRIMARY KEY,
    token uuid NOT NULL,
    expires_at timestamptz NOT NULL
  ) WITH (fillfactor = 50);
`

const APPEND_ONLY = `
  -- History is append only. Re-encryption alone may touch a row, and says so in its transaction.
  CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF current_setting('escapement.reencrypting', true) = 'on' THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'the history of a task is append only';
  END $$;
  CREATE TRIGGER transitions_append_only BEFORE UPDATE ON transitions
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
`

export const house: Migration = {
  name: '0001_house',

  async up(knex: Knex) {
    await knex.raw(TABLES)
    await knex.raw(APPEND_ONLY)
  },

  async down(knex: Knex) {
    await knex.raw(`
      DROP TABLE locks, keys, failures, events, dues, transitions, tasks, leases, changes, tombstones, resources;
      DROP FUNCTION refuse_rewriting();
    `)
  },
}
