// timeout: 180s
// A parent and its child: what an actor of XState does with a login of its own, a task does whose login is a
// task; and neither loses the other when their processes are cut off.
import { fromPromise } from 'xstate'
import { Resource } from '../../bin/index.ts'
import { auth as authMachine } from '../../examples/xstate/auth.ts'
import { login as loginMachine } from '../../examples/xstate/login.ts'
import { drive } from '../support/drive.ts'
import { type Gate, gate, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { afresh, type Happening, lived, restOf, run } from '../support/twins.ts'
import { until } from '../support/wait.ts'

let calls = 0
let held: Gate<void> | null = null
const verify = fromPromise<{ name: string }, { name: string; password: string }>(
  async ({ input: { name, password } }) => {
    calls += 1
    await held?.passed
    if (password !== 'right') throw new RangeError(`"${password}" is not the password`)
    return { name }
  },
)
const login = loginMachine.provide({ actors: { verify } })
const auth = authMachine.provide({ actors: { login } })

class Account extends Resource {
  static override tasks = { auth }
}

const test = suite('signing in')
const on = stage(test, { resources: [Account] })
test.before.each(() => {
  calls = 0
  held = null
})

const right = { type: 'CREDENTIALS', name: 'ada', password: 'right' }
const wrong = { type: 'CREDENTIALS', name: 'ada', password: 'wrong' }

const scripts: Record<string, { happenings: Happening[]; through: string[] }> = {
  'after a refusal; again later': {
    happenings: [right, 'SIGN_IN', wrong, right, right, 'SIGN_OUT', 'SIGN_IN', right, 'SIGN_OUT'],
    through: ['signed out', 'signing in', 'signed in'],
  },
  'never: the child breaks, the parent is locked for a while': {
    happenings: ['SIGN_IN', wrong, wrong, wrong, right, 29_900, 100, 'SIGN_IN', wrong, right],
    through: ['locked', 'signed out', 'signed in'],
  },
  'not: called off, or out of patience; the next child knows nothing of the last': {
    happenings: [
      ...['SIGN_IN', wrong, wrong, 'CANCEL', 'SIGN_IN', wrong, wrong, 119_900, 100],
      ...['SIGN_IN', wrong, wrong, right],
    ],
    through: ['signed out', 'signed in'],
  },
}

for (const [name, { happenings, through }] of Object.entries(scripts)) {
  test(`as XState has it: ${name}`, { deadlineMs: 60_000 }, async () => {
    const script = { machine: auth, happenings }
    const expected = await lived(script)
    const { seen } = await run(on, Account, 'auth', script)
    for (const [index, one] of expected.entries()) {
      assert.equal(seen[index], one, `after ${JSON.stringify(happenings.slice(0, index))}`)
    }
    const values = expected.map(({ value }) => value)
    for (const state of through) assert.ok(values.includes(state), `never was ${state}`)
  })
}

test('goes on when parent and child lose their process, before and after the child has ended', async () => {
  const account = await on.app.create(Account, {})
  const { taskId } = await account.auth.start()
  const settle = () => afresh(on, (driver) => driver.settle())
  for (const event of ['SIGN_IN', wrong]) {
    await account.auth.send(event as never)
    await settle()
  }
  await account.auth.send(right as never)
  held = gate()
  const app = await on.house.neighbour()
  const end = new AbortController()
  const lease = { signal: end.signal, remainingMs: () => (end.signal.aborted ? 0 : 1_000) }
  const tick = drive({ app, time: on.time }).tick(account.id, lease)
  await until(() => calls === 2, { what: 'the password was being verified' })
  end.abort()
  held.open()
  await tick.catch(() => {})
  await app.close()
  held = null
  assert.is((await restOf(on, taskId)).value, 'signing in')
  await settle()
  const { value, context } = await restOf(on, taskId)
  assert.is(value, 'signed in')
  assert.equal(context, { user: { name: 'ada' }, refusals: 1, checks: 2, reason: null })
  assert.is(calls, 3)
  await account.auth.send('SIGN_OUT')
  await settle()
  const live = await on.house.sql(
    'SELECT name FROM tasks WHERE resource_id = $1 AND finished_at IS NULL',
    [account.id],
  )
  assert.equal(live, [{ name: 'auth' }], 'no child is left')
  await account.auth.stop()
})

test('a parent that is stopped takes its child with it', async () => {
  const account = await on.app.create(Account, {})
  await account.auth.start()
  await account.auth.send('SIGN_IN')
  await afresh(on, ({ settle }) => settle())
  const live = () =>
    on.house.sql('SELECT name FROM tasks WHERE resource_id = $1 AND finished_at IS NULL', [
      account.id,
    ])
  assert.is((await live()).length, 2)
  await account.auth.stop()
  await afresh(on, ({ settle }) => settle())
  assert.equal(await live(), [])
})

test.run()
