// Knex and nothing else: a loop that takes an instance and commits each of its steps in a transaction; no queue, no
// locks, no recovery. What a durable step costs whoever writes it by hand.
// Tuned: a connection for each step in hand, up to 50, and one row updated and one inserted in each transaction.
import knexFactory from 'knex'
import { Course } from '../course.ts'
import { inLanes, type Program, serve } from '../program.ts'

const MOST_CONNECTIONS = 50

serve((ground): Program => {
  const { databaseUrl, instances, concurrency, steps } = ground
  const pool = { min: 0, max: Math.min(concurrency, MOST_CONNECTIONS) }
  const knex = knexFactory({ client: 'pg', connection: databaseUrl, pool })
  const step = (id: number, to: number) =>
    knex.transaction(async (trx) => {
      const moved = await trx('tasks')
        .where({ id, step: to - 1 })
        .update({ step: to, state: `s${to}` })
      if (moved !== 1) throw new Error(`task ${id} is not at step ${to - 1}`)
      await trx('transitions').insert({ task_id: id, step: to, from: `s${to - 1}`, to: `s${to}` })
    })
  const make = async (count: number) => {
    await knex.raw(
      'CREATE TABLE tasks (id integer PRIMARY KEY, step integer NOT NULL, state text NOT NULL)',
    )
    await knex.raw(
      'CREATE TABLE transitions (task_id integer, step integer, "from" text, "to" text, at timestamptz DEFAULT now(), PRIMARY KEY (task_id, step))',
    )
    await knex.raw(`INSERT INTO tasks SELECT i, 0, 's0' FROM generate_series(0, ? - 1) i`, [count])
  }
  return {
    prepare: () => make(instances),

    stand: async () => void (await knex.raw('SELECT 1')),

    async work() {
      const course = new Course(instances)
      await inLanes(instances, concurrency, async (id) => {
        for (let to = 1; to <= steps; to += 1) {
          await step(id, to)
          course.passed(id)
        }
      })
      return course.figures
    },

    idle: make,
    probe: (index) => step(index, 1),
    close: () => knex.destroy(),
  }
})
