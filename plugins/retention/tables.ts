// The tables of the retention plugin: how far it has come, and where the first steps of live runs went.
// Promise: a mark moves in the transaction that removes what is before it; no row holds a secret.
import type { Knex, Migration } from '../../lib/database.ts'

const TABLES = `
  -- How far one rule has come in one part of the history. scope: the kinds it was for; with others it begins anew.
  CREATE TABLE retention_marks (
    part text NOT NULL,
    rule text NOT NULL,
    scope text NOT NULL,
    at timestamptz NOT NULL DEFAULT '-infinity',
    id text NOT NULL DEFAULT '',
    step integer NOT NULL DEFAULT -1,
    -- When it last removed something, by whose wish and why.
    moved_at timestamptz,
    actor text,
    reason text,
    PRIMARY KEY (part, rule)
  );

  -- Runs whose first steps are not here any more: all before first_step, but for what is still needed.
  CREATE TABLE retired_steps (
    task_id uuid PRIMARY KEY REFERENCES tasks ON DELETE CASCADE,
    first_step integer NOT NULL,
    -- Null when they were dropped.
    folder text,
    at timestamptz NOT NULL
  );
`

export const tables: Migration = {
  name: 'retention_0001',

  async up(knex: Knex) {
    await knex.raw(TABLES)
  },

  async down(knex: Knex) {
    await knex.raw('DROP TABLE retired_steps, retention_marks')
  },
}
