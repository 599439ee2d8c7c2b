// timeout: 180s
// A claim nobody waited for is lost when PostgreSQL dies before the disk has it: whoever held it commits nothing more,
// and nobody is given its number again. A step that was answered has taken its claim to the disk.
import { Database } from '../../lib/database.ts'
import { migrations } from '../../models/migrations/index.ts'
import { Pen } from '../exams/pen.ts'
import { freshSchema } from '../support/house.ts'
import { hasPostgres, type PrivateServer, startPrivatePostgres } from '../support/services.ts'
import { assert } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { scenes } from './scenes.ts'

const test = scenes('a claim', hasPostgres())
const time = new FakeTime()
const schema = freshSchema()
const LONG = { deadlineMs: 90_000 }
/** A crash finds a claim on the disk where a page of the log was full, or somebody else waited for his. */
const MOST_CRASHES = 5

let postgres: PrivateServer
let opened: Database[] = []
test.before(async () => {
  // Nobody else takes the log to the disk meanwhile.
  postgres = await startPrivatePostgres(['wal_writer_delay=10s', 'autovacuum=off'])
  await connected().database.migrate()
})
test.after.each(closed)
test.after(() => postgres.stop())

function connected(): Pen {
  const database = new Database({ at: { url: postgres.url }, schema, poolSize: 2, migrations })
  opened.push(database)
  return new Pen(database, time)
}

async function closed(): Promise<void> {
  for (const database of opened) await database.close()
  opened = []
}

/** The server dies and comes back; so do the connections to it. */
async function crashed(): Promise<Pen> {
  await postgres.crash()
  await closed()
  await postgres.restart()
  return connected()
}

const fenceOf = async (pen: Pen, resourceId: string) =>
  (await pen.one('SELECT fence FROM leases WHERE resource_id = $1', [resourceId])).fence

test('that was lost is worth nothing, and its number is nobody else’s', LONG, async () => {
  for (let crash = 1; ; crash++) {
    assert.ok(crash <= MOST_CRASHES, 'no crash came before the disk had the claim')
    const before = connected()
    const { resourceId, taskId } = await before.task()
    const { fence } = (await before.store.claim(resourceId, 'holder'))!
    const after = await crashed()
    if ((await fenceOf(after, resourceId)) === fence) continue
    const late = {
      ...after.step({ resourceId, taskId, expected: 0 }),
      fence: { resourceId, fence },
    }
    assert.equal((await after.commit(late))[0]?.kind, 'fenced')
    const heir = (await after.store.claim(resourceId, 'heir'))!
    assert.equal((await after.commit(late))[0]?.kind, 'fenced')
    const next = { ...late, fence: { resourceId, fence: heir.fence } }
    assert.equal((await after.commit(next))[0]?.kind, 'committed')
    assert.is(await fenceOf(after, resourceId), heir.fence)
    return
  }
})

test('is as safe as what was committed under it', LONG, async () => {
  const before = connected()
  const { resourceId, taskId } = await before.task()
  const { fence } = (await before.store.claim(resourceId, 'holder'))!
  const unit = before.step({ resourceId, taskId, expected: 0 })
  const [outcome] = await before.commit({ ...unit, fence: { resourceId, fence } })
  assert.is(outcome?.kind, 'committed')
  const after = await crashed()
  assert.is(await fenceOf(after, resourceId), fence)
  const { step } = await after.one('SELECT step FROM tasks WHERE id = $1', [taskId])
  assert.is(step, 1)
})

test.run()
