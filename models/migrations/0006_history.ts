// How the history of a task goes with it.
// Promise: no line outlives its task, and none is written for a task that is not there: whoever writes one has changed
// the row of its task in the same transaction. A reference would ask for that row once more, for every line.
import type { Knex, Migration } from '../../lib/database.ts'

const UP = `
  ALTER TABLE transitions DROP CONSTRAINT transitions_task_id_fkey;
  -- Whoever deletes a task may not have our schema on its path.
  CREATE FUNCTION forget_history() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
  BEGIN
    IF TG_OP = 'TRUNCATE' THEN TRUNCATE transitions;
    ELSE DELETE FROM transitions WHERE task_id = OLD.id;
    END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER tasks_history AFTER DELETE ON tasks FOR EACH ROW EXECUTE FUNCTION forget_history();
  CREATE TRIGGER tasks_all_history AFTER TRUNCATE ON tasks FOR EACH STATEMENT EXECUTE FUNCTION forget_history();
`

const DOWN = `
  DROP TRIGGER tasks_history ON tasks;
  DROP TRIGGER tasks_all_history ON tasks;
  DROP FUNCTION forget_history;
  ALTER TABLE transitions ADD FOREIGN KEY (task_id) REFERENCES tasks ON DELETE CASCADE;
`

export const history: Migration = {
  name: '0006_history',

  async up(knex: Knex) {
    await knex.raw(UP)
  },

  async down(knex: Knex) {
    await knex.raw(DOWN)
  },
}
