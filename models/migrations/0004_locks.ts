// What a lock in Postgres keeps of those who asked for it in vain.
// Promise: one column, false for all that is held when it comes.
import type { Knex, Migration } from '../../lib/database.ts'

export const locks: Migration = {
  name: '0004_locks',

  async up(knex: Knex) {
    await knex.raw('ALTER TABLE locks ADD COLUMN is_wanted boolean NOT NULL DEFAULT false')
  },

  async down(knex: Knex) {
    await knex.raw('ALTER TABLE locks DROP COLUMN is_wanted')
  },
}
