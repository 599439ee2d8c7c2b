// New definitions over old rows: adopted, migrated or stranded, never started again in silence.
import { assign, createMachine, setup } from 'xstate'
import { Resource, task } from '../../bin/index.ts'
import { drive } from '../support/drive.ts'
import { stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

const kid = (version: string, states: object) =>
  setup({}).createMachine({
    id: 'kid',
    version,
    initial: 'young',
    states: { young: {}, ...states },
  } as never)

const old = setup({
  types: {} as { context: { n: number }; events: any },
  delays: { wait: 60_000 },
  actors: { kid: kid('1', {}) },
}).createMachine({
  id: 'plan',
  version: '1',
  context: { n: 1 },
  initial: 'draft',
  states: {
    draft: { on: { GO: 'checking', KID: 'parent' }, after: { wait: 'late' } },
    checking: { on: { GO: 'done' } },
    parent: { invoke: { id: 'kid', src: 'kid' } },
    late: {},
    done: { type: 'final' },
  },
})

class Plan extends Resource {
  static override kind = 'Plan'
  static override tasks: Record<string, any> = { plan: old }
}

/** The class of a later deployment. */
const later = (plan: any) => {
  class Next extends Resource {
    static override kind = 'Plan'
    static override tasks: Record<string, any> = { plan }
  }
  return Next
}

const test = suite('versions')
const on = stage(test, { resources: [Plan] })

const begin = async (...events: string[]) => {
  const plan: any = await on.app.create(Plan, {})
  await plan.plan.start()
  for (const event of events) await plan.plan.send(event)
  await on.settle()
  return plan.id as string
}

/** The same rows under another program, with the given event sent. */
const deploy = async (id: string, plan: any, event?: string) => {
  const shape = later(plan)
  const app = await on.house.neighbour({ resources: [shape], time: on.time })
  const driver = drive({ app, time: on.time })
  const held: any = await app.get(shape, id)
  if (event) await held.plan.send(event)
  else await driver.tick(id)
  await driver.settle()
  const [row] = await on.house.sql(
    `SELECT t.status, t.state, t.machine_version, t.step, x.snapshot FROM tasks t
     JOIN transitions x ON x.task_id = t.id AND x.step = t.rest_step WHERE resource_id = $1 AND name = 'plan'`,
    [id],
  )
  return { held, driver, row, app }
}

const version = (number: string, states: object, more: object = {}) =>
  createMachine(
    { id: 'plan', version: number, context: { n: 1 }, initial: 'draft', states, ...more } as never,
    { delays: { wait: 60_000 } } as never,
  )

test('a definition that can hold the snapshot adopts it, and its version', async () => {
  const id = await begin()
  const { row } = await deploy(
    id,
    version('2', {
      draft: { on: { GO: 'review' }, after: { wait: 'late' } },
      review: {},
      late: {},
    }),
    'GO',
  )
  assert.equal([row.status, row.state, row.machine_version], ['running', 'review', '2'])
})

test('a snapshot whose state is gone is stranded, as it was, until somebody can hold it', async () => {
  const id = await begin('GO')
  const { row, held } = await deploy(
    id,
    version('2', { draft: { on: { GO: 'draft' } }, other: {} }),
    'GO',
  )
  assert.equal([row.status, row.state, row.machine_version], ['stranded', 'checking', '1'])
  assert.equal(row.snapshot.value, 'checking')
  const [failure] = await on.app.history.failures(id)
  assert.is(failure?.code, 'STATE_STRANDED')
  assert.match(failure?.message ?? '', 'version 2 of its machine cannot hold it')
  await held.plan.retry()
  const mended = await deploy(
    id,
    version('3', { draft: {}, checking: { on: { GO: 'done' } }, done: { type: 'final' } }),
  )
  assert.equal([mended.row.status, mended.row.state], ['done', 'done'])
})

test('a timer that leads nowhere any more strands its task; it is not lost in silence', async () => {
  const id = await begin()
  const { row } = await deploy(id, version('2', { draft: { on: { GO: 'draft' } }, late: {} }), 'GO')
  assert.is(row.status, 'stranded')
  assert.match((await on.app.history.failures(id))[0]?.message ?? '', 'a timer waits for')
})

test('migrations take a snapshot through every version, as a step of its own', async () => {
  const id = await begin('GO')
  const machine = setup({
    types: {} as { context: any; events: any },
    actions: { add: assign({ n: ({ context }: any) => context.n + 1 }) },
  }).createMachine({
    id: 'plan',
    version: '3',
    context: { n: 0, label: '' },
    initial: 'draft',
    states: { draft: {}, inspected: { on: { GO: { actions: 'add' } } } },
  } as never)
  const declared = task(machine as never, {
    migrate: {
      1: ({ context }: any) => ({ value: 'inspecting', context: { ...context, label: 'a' } }),
      2: ({ context }: any) => ({
        value: 'inspected',
        context: { ...context, label: `${context.label}b` },
      }),
    },
  })
  const { row } = await deploy(id, declared, 'GO')
  assert.equal(
    [row.status, row.state, row.machine_version, row.snapshot.context],
    ['running', 'inspected', '3', { n: 2, label: 'ab' }],
  )
  const lines = await on.app.history.lines(id, { task: 'plan' })
  const line = lines.find(({ event }) => event === '__migrate__')
  assert.equal(
    [line?.from, line?.to, line?.reason],
    ['checking', 'inspected', 'from version 1 to 3'],
  )
  assert.equal(
    lines.map(({ step }) => step),
    [0, 1, 2, 3, 4],
  )
})

test('a migration that throws, or leads nowhere, parks the task as it was', async () => {
  const broken = {
    throws: () => {
      throw new Error('no way')
    },
    leads: () => ({ value: 'nowhere' }),
  }
  for (const [what, migrate] of Object.entries(broken)) {
    const id = await begin('GO')
    const machine = version('2', { draft: { on: { GO: 'draft' } } })
    const { row } = await deploy(id, task(machine as never, { migrate: { 1: migrate } }), 'GO')
    assert.is(row.status, what === 'throws' ? 'panicked' : 'stranded')
    assert.is(row.snapshot.value, 'checking')
  }
})

test('a child whose machine is gone is stranded; one that has changed is migrated', async () => {
  const states = { draft: { on: { GO: 'draft' } }, parent: { invoke: { id: 'kid', src: 'kid' } } }
  const parent = (kidMachine: any) =>
    createMachine(
      { id: 'plan', version: '2', context: { n: 1 }, initial: 'draft', states } as never,
      {
        actors: { kid: kidMachine },
      } as never,
    )
  const id = await begin('KID')
  const child = async () =>
    (
      await on.house.sql(
        `SELECT status, state, id FROM tasks WHERE resource_id = $1 AND name <> 'plan'`,
        [id],
      )
    )[0]
  const ring = async () =>
    on.house.sql(
      'UPDATE dues SET due_at = to_timestamp(0), look_at = to_timestamp(0), wakes = wakes + 1 WHERE task_id = $1',
      [(await child()).id],
    )
  await ring()
  await deploy(
    id,
    parent(createMachine({ id: 'kid', version: '2', initial: 'grown', states: { grown: {} } })),
  )
  assert.equal([(await child()).status, (await child()).state], ['stranded', 'young'])
  const next = parent(
    createMachine({ id: 'kid', version: '3', initial: 'grown', states: { grown: {} } }),
  )
  const declared = task(next as never, {
    actors: { kid: { migrate: { 1: () => ({ value: 'grown' }) } } },
  })
  await on.house.sql(`UPDATE tasks SET status = 'running' WHERE id = $1`, [(await child()).id])
  await ring()
  await deploy(id, declared)
  assert.equal([(await child()).status, (await child()).state], ['running', 'grown'])
})

test.run()
