// Verbs inside steps: they happen with the step's commit, or not at all.
import { setup } from 'xstate'
import * as z from 'zod'
import { action, effect, field, Resource, steps } from '../../bin/index.ts'
import { codeOf, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

let isBroken = false
let fails = 0

class Leaf extends Resource {
  static override fields = { colour: field(z.string().default('green')) }
  static override tasks = { grow: steps({ grow: async (t) => t.stop() }) }
}

class Tree extends Resource {
  static override fields = {
    seen: field(z.number().default(0)),
    log: field(z.string().default('')),
  }
  static override tasks = {
    listen: setup({ types: {} as { events: { type: 'HELLO'; from: string } } }).createMachine({
      initial: 'listening',
      states: { listening: { on: { HELLO: { target: 'listening', reenter: true } } } },
    }),
    bud: steps(
      {
        bud: async (t) => {
          const leaf = await t.resource.createChild(Leaf, { colour: 'red' })
          await leaf.grow.start()
          await t.resource.listen.send({ type: 'HELLO', from: 'bud' })
          t.resource.seen += 1
          if (fails-- > 0) throw new Error('frost')
          return t.stop(leaf.id)
        },
      },
      { retry: { attempts: 3, backoff: '1s' } },
    ),
    shout: setup({
      types: {} as { events: { type: 'SHOUT' } },
      actions: {
        shout: action(async ({ resource, key }) => {
          resource.log += `${key.split(':')[1]} `
          await resource.listen.send({ type: 'HELLO', from: 'shout' })
        }),
        shatter: action(() => {
          if (isBroken) throw new Error('too loud')
        }),
      },
    }).createMachine({
      initial: 'still',
      states: { still: { on: { SHOUT: { actions: ['shout', 'shatter'] } } } },
    }),
    fell: steps({
      fell: async (t) => {
        await t.resource.listen.stop()
        await t.resource.children(Leaf).task('grow').start()
        return t.stop()
      },
    }),
    forbid: setup({
      actors: {
        forbid: effect(async ({ resource }) => {
          const leaf = await resource.createChild(Leaf, {})
          const said = [
            await codeOf(resource.listen.rewind(1)),
            await codeOf(resource.listen.retry()),
            await codeOf(() => Object.assign(leaf, { colour: 'blue' })),
            await codeOf(resource.createChild(Leaf, { colour: 7 })),
            await codeOf(resource.listen.send('BYE')),
          ]
          return { said, colour: leaf.colour }
        }),
      },
    }).createMachine({
      initial: 'a',
      states: {
        a: { invoke: { src: 'forbid', onDone: 'b' } },
        b: { type: 'final', output: ({ event }: any) => event.output },
      },
      output: ({ event }: any) => event.output,
    }),
  }
}

const test = suite('steps')
const on = stage(test, { resources: [Tree, Leaf] })

test.before.each(() => {
  isBroken = false
  fails = 0
})

async function planted() {
  const tree = await on.app.create(Tree, {})
  await tree.listen.start()
  await on.settle()
  return tree
}
const heard = async (id: string) => (await on.app.history.lines(id, { task: 'listen' })).length - 2

test('make, start and tell others in their own commit', async () => {
  const tree = await planted()
  const { taskId } = await tree.bud.start()
  await on.settle()
  const [leaf] = await tree.children(Leaf).toArray()
  assert.is(leaf!.colour, 'red')
  assert.is((await leaf!.grow.status())!.status, 'done')
  assert.is(await heard(tree.id), 1)
  assert.is(await on.app.history.output(tree.id, 'bud', undefined as never), leaf!.id)
  const [{ unit_id: unit }] = await on.house.sql(
    'SELECT unit_id FROM transitions WHERE task_id = $1 AND step = 2',
    [taskId],
  )
  const [started] = await on.house.sql(
    `SELECT x.unit_id FROM transitions x JOIN tasks t ON t.id = x.task_id
     WHERE t.resource_id = $1 AND x.step = 0`,
    [leaf!.id],
  )
  assert.is(started.unit_id, unit)
})

test('that fail have done nothing', async () => {
  const tree = await planted()
  fails = 2
  await tree.bud.start()
  await on.settle()
  assert.is(await tree.children(Leaf).count(), 0)
  assert.is(await heard(tree.id), 0)
  await tree.reload()
  assert.is(tree.seen, 0)
  await on.advance('1m')
  assert.is(await tree.children(Leaf).count(), 1)
  assert.is(await heard(tree.id), 1)
  await tree.reload()
  assert.is(tree.seen, 1)
})

test('that are given up have done nothing', async () => {
  const tree = await planted()
  fails = 9
  await tree.bud.start()
  await on.advance('5m')
  assert.is((await tree.bud.status())!.status, 'panicked')
  assert.is(await tree.children(Leaf).count(), 0)
  assert.is(await heard(tree.id), 0)
})

test('have their actions in the commit, and none of one that threw', async () => {
  const tree = await planted()
  await tree.shout.start()
  await tree.shout.send('SHOUT')
  await on.settle()
  await tree.reload()
  assert.is(tree.log, '2 ')
  assert.is(await heard(tree.id), 1)
  isBroken = true
  await tree.shout.send('SHOUT')
  await on.settle()
  await tree.reload()
  assert.is((await tree.shout.status())!.status, 'panicked')
  assert.is(tree.log, '2 ')
  assert.is(await heard(tree.id), 1)
})

test('stop other tasks and speak to all children', async () => {
  const tree = await planted()
  const leaves = [await tree.createChild(Leaf, {}), await tree.createChild(Leaf, {})]
  await tree.fell.start()
  await on.settle()
  assert.is((await tree.listen.status())!.status, 'stopped')
  for (const leaf of leaves) assert.is((await leaf.grow.status())!.status, 'done')
})

test('may not do what cannot be part of a commit, and are told at once', async () => {
  const tree = await planted()
  await tree.forbid.start()
  await on.settle()
  assert.equal(await on.app.history.output(tree.id, 'forbid', undefined as never), {
    // What is not parked goes on already, so there is nothing to retry.
    said: [
      ...['ARGUMENT_INVALID', 'it did not fail', 'ARGUMENT_INVALID'],
      ...['FIELDS_INVALID', 'EVENT_UNKNOWN'],
    ],
    colour: 'green',
  })
})

test.run()
