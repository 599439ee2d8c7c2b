// The tables of the notifications plugin: what each route is to deliver, and the notices in it.
// Promise: a row is written in the transaction that takes its notices out of the outbox; no row holds a secret.
import type { Knex, Migration } from '../../lib/database.ts'

const TABLES = `
  -- One message to one route. gathering: others may join it; sending: its notices are settled, it is tried until it
  -- is sent or dead; empty: nothing in it was to be told any more.
  CREATE TABLE deliveries (
    id uuid PRIMARY KEY,
    seq bigserial NOT NULL,
    route text NOT NULL,
    group_key text NOT NULL,
    status text NOT NULL CHECK (status IN ('gathering', 'sending', 'sent', 'dead', 'empty')),
    -- Attempts begun, and how many there were when it was last sent again by hand.
    attempt integer NOT NULL DEFAULT 0,
    retried_from integer NOT NULL DEFAULT 0,
    -- When somebody is to look at it: the window is over, it is tried again, or whoever tries it is taken for dead.
    due_at timestamptz NOT NULL,
    count integer NOT NULL,
    error text,
    -- Who sent it again by hand, and why.
    actor text,
    reason text,
    created_at timestamptz NOT NULL,
    ended_at timestamptz
  ) WITH (fillfactor = 70);
  CREATE UNIQUE INDEX deliveries_gathering ON deliveries (route, group_key) WHERE status = 'gathering';
  CREATE INDEX deliveries_due ON deliveries (route, due_at) WHERE status IN ('gathering', 'sending');
  CREATE INDEX deliveries_by_group ON deliveries (route, group_key, seq) WHERE status IN ('gathering', 'sending');
  CREATE INDEX deliveries_sent ON deliveries (route, group_key, ended_at) WHERE status = 'sent';
  CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;
  CREATE INDEX deliveries_dead ON deliveries (seq) WHERE status = 'dead';

  CREATE TABLE delivery_notices (
    route text NOT NULL,
    notice_id uuid NOT NULL,
    delivery_id uuid NOT NULL REFERENCES deliveries ON DELETE CASCADE,
    seq bigserial NOT NULL,
    type text NOT NULL,
    alarm_id uuid,
    episode integer,
    notice jsonb NOT NULL,
    PRIMARY KEY (route, notice_id)
  );
  CREATE INDEX delivery_notices_by_delivery ON delivery_notices (delivery_id, seq);
  CREATE INDEX delivery_notices_by_alarm ON delivery_notices (alarm_id, route) WHERE alarm_id IS NOT NULL;
`

export const tables: Migration = {
  name: 'notifications_0001',

  async up(knex: Knex) {
    await knex.raw(TABLES)
  },

  async down(knex: Knex) {
    await knex.raw('DROP TABLE delivery_notices, deliveries')
  },
}

/** Types of notices by which somebody learns that an alarm is open. */
export const OPENS = ['alarm.opened', 'alarm.reopened', 'alarm.repeated'] as const
export const CLOSED = 'alarm.closed'
