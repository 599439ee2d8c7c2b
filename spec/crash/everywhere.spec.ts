// timeout: 120s
// Crash everywhere, in small: every scenario, dead at some of its calls; `npm run crash` takes all of them.
import { assert, suite } from '../support/suite.ts'
import { type Digest, differences, digestOf } from './judge.ts'
import { type Outcome, play } from './play.ts'
import { FEATURES } from './scenario.ts'
import { SCENARIOS } from './scenarios.ts'
import { Yard } from './yard.ts'

const test = suite('crash everywhere')

/** A death at every so manieth call: no divisor of the five calls a short tick makes. */
const EVERY = 13
const outcomes: Outcome[] = []

for (const { name } of SCENARIOS) {
  test(`${name} comes to the same end wherever its process dies`, {
    deadlineMs: 60_000,
  }, async () => {
    const outcome = await play(name, 'embedded', EVERY)
    outcomes.push(outcome)
    assert.equal(outcome.problems, [])
    assert.ok(outcome.points > 0, 'somebody died')
  })
}

test.after(() => {
  const points = outcomes.reduce((sum, one) => sum + one.points, 0)
  console.log(
    `note: crash everywhere: ${points} crash points in ${outcomes.length} machines, embedded`,
  )
})

test('every feature is shown by a scenario', () => {
  const shown = new Set(SCENARIOS.flatMap(({ covers }) => covers))
  assert.equal(
    FEATURES.filter((feature) => !shown.has(feature)),
    [],
  )
})

/** What somebody could leave behind, as SQL over the tasks of resource $1, and what is said of it. */
const PLANTS: Readonly<Record<string, string>> = {
  'histories with a hole': `UPDATE tasks SET step = step + 1 WHERE resource_id = $1 AND name = 'main'`,
  'tasks that have not ended': `UPDATE tasks SET finished_at = NULL WHERE resource_id = $1 AND name = 'main'`,
  'due entries left': `INSERT INTO dues (task_id, resource_id, due_at, look_at, share, reason)
    SELECT id, resource_id, now(), now(), 'Main', 'planted' FROM tasks WHERE resource_id = $1 AND name = 'main'`,
  'mail nobody took': `INSERT INTO events (event_id, task_id, type, actor, unit_id, sent_at)
    SELECT gen_random_uuid(), id, 'UP', 'spec', gen_random_uuid(), now() FROM tasks WHERE resource_id = $1 AND name = 'main'`,
  'ends of children told twice': `INSERT INTO transitions (task_id, step, from_state, to_state, event, actor, unit_id, at)
    SELECT id, step + 1, state, state, 'xstate.done.actor.kid', 'spec', gen_random_uuid(), now() FROM tasks
    WHERE resource_id = $1 AND name = 'main'`,
  'steps under an older fence': `INSERT INTO transitions (task_id, step, from_state, to_state, event, actor, unit_id, fence, at)
    SELECT id, step + 1, state, state, 'planted', 'spec', gen_random_uuid(), 0, now() FROM tasks WHERE resource_id = $1 AND name = 'main'`,
  'new ends': `UPDATE tasks SET state = 'elsewhere' WHERE resource_id = $1 AND name = 'main'`,
  'gone ways': `UPDATE tasks SET name = 'other' WHERE resource_id = $1 AND name = 'main'`,
}

test('the judge objects to every breach planted', { deadlineMs: 60_000 }, async () => {
  const yard = await Yard.open('invoked', 'embedded')
  const { sql } = yard.house
  const look = (id: string): Promise<Digest> => digestOf(sql, id, yard.seen)
  try {
    const [calm, same, ...others] = await yard.sail([[], [], ...Object.keys(PLANTS).map(() => [])])
    const model = await look(calm!.id)
    assert.equal(differences(await look(same!.id), model, false), [])
    for (const [index, [breach, plant]] of Object.entries(PLANTS).entries()) {
      const { id } = others[index]!
      await sql(plant, [id])
      const found = differences(await look(id), model, false)
      assert.ok(
        found.some((one) => one.includes(breach)),
        `${breach}: ${found.join('; ')}`,
      )
    }
  } finally {
    await sql('DELETE FROM dues')
    await sql(
      `UPDATE tasks SET finished_at = now(), step = (SELECT max(step) FROM transitions WHERE task_id = id)`,
    )
    await yard.close()
  }
})

test('the judge objects to a step whose effect the world never saw', {
  deadlineMs: 60_000,
}, async () => {
  const yard = await Yard.open('promises', 'embedded')
  try {
    const [one] = await yard.sail([[]])
    const { breaches } = await digestOf(yard.house.sql, one!.id, yard.seen.slice(1))
    assert.equal(breaches.length, 1)
    assert.match(breaches[0]!, 'the world never saw')
  } finally {
    await yard.close()
  }
})

test.run()
