// What bounds the work of tasks that have a limit: slots of keys.
// Promise: a limit is so many rows, and whoever goes on has locked one, so it cannot be exceeded; without limits the
// table is empty, and nobody reads it.
import type { Knex, Migration } from '../../lib/database.ts'

const TABLES = `
  -- One row for each that may go on at once (run:…), or begin within a period (rate:…).
  -- Free: until is absent or over. In hand: until is infinity, and owner ticks it. Else kept for a task that was woken.
  CREATE TABLE slots (
    key text NOT NULL CHECK (length(key) <= 300),
    n integer NOT NULL,
    task_id uuid,
    resource_id uuid,
    owner text,
    fence bigint,
    until timestamptz,
    PRIMARY KEY (key, n)
  ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
  CREATE INDEX slots_by_task ON slots (task_id) WHERE task_id IS NOT NULL;
  -- Those that wait for a slot, the longest first: the ids of runs grow with time.
  CREATE INDEX dues_in_line ON dues (reason, task_id) WHERE reason LIKE 'slot:%';
`

export const bounds: Migration = {
  name: '0003_bounds',

  async up(knex: Knex) {
    await knex.raw(TABLES)
  },

  async down(knex: Knex) {
    await knex.raw('DROP INDEX dues_in_line; DROP TABLE slots')
  },
}
