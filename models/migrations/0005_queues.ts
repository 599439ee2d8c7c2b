// Which queues a clock or a worker serves.
// Promise: a process of before says nothing of them, and counts for the one queue it names.
import type { Knex, Migration } from '../../lib/database.ts'

export const queues: Migration = {
  name: '0005_queues',

  async up(knex: Knex) {
    // By name: how many places a worker has for each, null for a clock.
    await knex.raw('ALTER TABLE workers ADD COLUMN queues jsonb')
  },

  async down(knex: Knex) {
    await knex.raw('ALTER TABLE workers DROP COLUMN queues')
  },
}
