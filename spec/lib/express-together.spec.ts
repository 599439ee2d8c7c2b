// timeout: 240s
// The express among others, on PostgreSQL: what they do between its snapshot and its locks, and an answer that is lost.
import { Committer } from '../../lib/committer.ts'
import type { Database, Runner } from '../../lib/database.ts'
import { Events } from '../../lib/events.ts'
import { express } from '../../lib/express.ts'
import { write } from '../../lib/notary.ts'
import type { Outcome, Unit } from '../../lib/unit.ts'
import { type Cellar, cellar } from '../exams/cellar.ts'
import { expressOf, openCutter } from '../exams/cutter.ts'
import { AUTHOR, Pen, TOLD_MS } from '../exams/pen.ts'
import { databaseUrl, settings } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { until, within } from '../support/wait.ts'

const time = new FakeTime()
const moment = () => ({ nowMs: time.now(), toldMs: TOLD_MS })
const kinds = (outcomes: readonly (Outcome | null)[]) => outcomes.map((one) => one?.kind ?? null)

interface Run {
  readonly resourceId: string
  readonly taskId: string
  readonly fence: number
}

/** A task of a resource that somebody holds. */
async function held(pen: Pen): Promise<Run> {
  const run = await pen.task()
  const { fence } = (await pen.store.claim(run.resourceId, 'us'))!
  return { ...run, fence }
}

/** Its next step; due at this moment again, as it was. */
function next(pen: Pen, run: Run, expected = 0, more: Partial<Unit> = {}): Unit {
  const { taskId, resourceId, fence } = run
  const due = { taskId, at: time.now(), reason: 'start', wakes: 0 }
  const unit = pen.step({ taskId, resourceId, expected })
  return { id: pen.id(), ...unit, fence: { resourceId, fence }, due, ...more }
}

const ended = (unit: Unit): Unit => ({
  ...unit,
  step: { ...unit.step!, finished: true, status: 'done' },
})

const letting: (() => void)[] = []

/** Holds what `work` locks or changes, until it is let go: that is when it commits. */
async function holding(database: Database, work: (runner: Runner) => Promise<unknown>) {
  let pid = 0
  let isHeld = false
  const open = new Promise<void>((resolve) => letting.push(resolve))
  const done = database.transaction(async (runner) => {
    pid = (await runner.query('SELECT pg_backend_pid() AS pid')).rows[0].pid
    await work(runner)
    isHeld = true
    await open
  })
  await Promise.race([done, until(() => isHeld, { what: 'the row was held' })])
  return {
    /** When so many wait for what it holds, one behind the other; or when all of this has ended. */
    awaited: (most = 1, over?: Promise<unknown>) => {
      let isOver = false
      over?.finally(() => {
        isOver = true
      })
      const isAwaited = async () =>
        isOver || (await database.query(BEHIND, [pid])).rows.length > most
      return until(isAwaited, { what: 'somebody waited for the row' })
    },
    /** Who waits now, by session. */
    waiting: async (): Promise<number[]> =>
      (await database.query(BEHIND, [pid])).rows.map((row) => row.pid),
    commit: () => {
      letGo()
      return done
    },
  }
}

const BEHIND = `
  WITH RECURSIVE line AS (
    SELECT $1::integer AS pid
    UNION SELECT a.pid FROM pg_stat_activity a JOIN line ON line.pid = ANY(pg_blocking_pids(a.pid)))
  SELECT pid FROM line`
/** A test that failed must not keep the others from ending. */
const letGo = () => {
  for (const one of letting.splice(0)) one()
}

if (settings().includes('postgres')) {
  const test = suite('the express among others')
  let home: Cellar
  let ours: Pen
  let theirs: Pen

  test.before(async () => {
    home = await cellar('postgres')
    ours = new Pen(await home.open(), time)
    theirs = new Pen(await home.open(), time)
  })
  test.after.each(letGo)
  test.after(() => home.close())

  const history = (taskId: string) =>
    ours.rows('SELECT step, unit_id FROM transitions WHERE task_id = $1 ORDER BY step', [taskId])
  const lockTask = (taskId: string) => (runner: Runner) =>
    runner.query('SELECT 1 FROM tasks WHERE id = $1 FOR NO KEY UPDATE', [taskId])

  // ---- between the snapshot and the locks ----

  test('a claim that comes first makes its fence worthless', async () => {
    const run = await held(ours)
    const rival = await holding(theirs.database, (runner) =>
      runner.query('UPDATE leases SET fence = fence + 1 WHERE resource_id = $1', [run.resourceId]),
    )
    const unit = next(ours, run)
    const writing = express(ours.database, [unit], moment())
    await rival.awaited()
    await rival.commit()
    assert.equal(await writing, [null])
    assert.is((await history(run.taskId)).length, 1)
    assert.equal(kinds(await ours.store.commit([unit])), ['fenced'])
  })

  test('a claim that comes second waits, and finds the step', async () => {
    const run = await held(ours)
    const rival = await holding(theirs.database, lockTask(run.taskId))
    const writing = express(ours.database, [next(ours, run)], moment())
    await rival.awaited()
    let isClaimed = false
    const claiming = theirs.store.claim(run.resourceId, 'them').finally(() => {
      isClaimed = true
    })
    const waiting = `
      SELECT 1 FROM pg_locks w JOIN pg_stat_activity a USING (pid)
      WHERE NOT w.granted AND a.query LIKE '%claimed_at%' AND a.pid <> pg_backend_pid()`
    await until(async () => isClaimed || (await ours.rows(waiting)).length > 0, {
      what: 'the claim waited',
    })
    assert.not.ok(isClaimed, 'it waits for the commit under the older fence')
    await rival.commit()
    assert.equal(kinds(await writing), ['committed'])
    const { fence, tasks } = (await claiming)!
    assert.equal([fence > run.fence, tasks[0]!.step], [true, 1])
  })

  test('a deletion that waits for a step takes its line of history as well', async () => {
    const run = await held(ours)
    const rival = await holding(theirs.database, (runner) => asNotary(runner, next(ours, run)))
    const deleting = ours.rows('DELETE FROM tasks WHERE id = $1', [run.taskId])
    await rival.awaited()
    await rival.commit()
    await deleting
    assert.equal(await history(run.taskId), [])
  })

  const meanwhile: Record<string, (runner: Runner, run: Run) => Promise<unknown>> = {
    'was stopped': (runner, { resourceId }) => {
      const stop = { resourceId, task: 'work', except: null, ...AUTHOR }
      return asNotary(runner, { id: ours.id(), stops: [stop] })
    },
    'has moved': (runner, run) => asNotary(runner, next(ours, run)),
    'has an alarm': (runner, { taskId, resourceId }) => {
      const about = {
        ...{
          name: 'lost',
          kind: 'Thing',
          task: 'work',
          closes: 'moved' as const,
          taskId,
          resourceId,
        },
        ...{ severity: 'error' as const, message: 'no', playbook: null, labels: {}, detail: null },
        ...{ forMs: 0, clearForMs: 0, flap: null },
      }
      const raised = { key: taskId, event: { type: 'RAISE' as const, about }, ...AUTHOR }
      return asNotary(runner, { id: ours.id(), alarms: [raised] })
    },
    'has ended, and begun anew': async (runner, run) => {
      await asNotary(runner, ended(next(ours, run)))
      await asNotary(runner, { id: ours.id(), starts: [ours.start(run.resourceId)] })
    },
  }
  const asNotary = (runner: Runner, unit: Unit) =>
    write(runner, [unit], { ...moment(), alarms: theirs.store.alarms })

  for (const [what, change] of Object.entries(meanwhile)) {
    test(`a task that ${what} is left to the notary untouched`, async () => {
      const run = await held(ours)
      const other = await held(ours)
      const rival = await holding(theirs.database, (runner) => change(runner, run))
      const units = [next(ours, run), next(ours, other)]
      const writing = express(ours.database, units, moment())
      await rival.awaited()
      await rival.commit()
      assert.equal(kinds(await writing), [null, 'committed'])
      const mine = (await history(run.taskId)).filter(({ unit_id }) => unit_id === units[0]!.id)
      assert.equal(mine, [])
      const isAlarmed = what === 'has an alarm'
      const lost = kinds(await ours.store.commit([units[0]!]))
      assert.equal(lost, [isAlarmed ? 'committed' : 'desynchronized'])
      if (!isAlarmed) return
      const { state } = await ours.one('SELECT state FROM alarms WHERE key = $1', [run.taskId])
      assert.is(state, 'closed')
    })
  }

  test('fields that were written meanwhile are compared as they are now', async () => {
    const run = await held(ours)
    const { resourceId } = run
    const change = { resourceId, unset: [], aside: {}, version: 0 }
    const rival = await holding(theirs.database, (runner) =>
      asNotary(runner, { id: ours.id(), fields: { ...change, set: { theirs: 1 } } }),
    )
    const strict = next(ours, run, 0, { fields: { ...change, set: { ours: 1 } } })
    const writing = express(ours.database, [strict], moment())
    await rival.awaited()
    await rival.commit()
    assert.equal(await writing, [null])
    const patch = { ...change, version: null, set: { ours: 1 } }
    const again = await holding(theirs.database, (runner) =>
      asNotary(runner, { id: ours.id(), fields: { ...change, version: null, set: { more: 1 } } }),
    )
    const patching = express(ours.database, [next(ours, run, 0, { fields: patch })], moment())
    await again.awaited()
    await again.commit()
    assert.equal(kinds(await patching), ['committed'])
    const { fields, version } = await ours.one('SELECT * FROM resources WHERE id = $1', [
      resourceId,
    ])
    assert.equal([fields, version], [{ theirs: 1, more: 1, ours: 1 }, 3])
  })

  // ---- rings ----

  /** Mail comes after the snapshot: while the express waits for its task, or in the sender's own open transaction. */
  const ringing = {
    'before its locks': async (run: Run, writing: () => Promise<(Outcome | null)[]>) => {
      const rival = await holding(theirs.database, lockTask(run.taskId))
      const written = writing()
      await rival.awaited()
      await theirs.commit({ sends: [theirs.send(run.resourceId)] })
      await rival.commit()
      return written
    },
    'while it writes': async (run: Run, writing: () => Promise<(Outcome | null)[]>) => {
      const rival = await holding(theirs.database, (runner) =>
        asNotary(runner, { id: ours.id(), sends: [theirs.send(run.resourceId)] }),
      )
      const written = writing()
      // What is due already it leaves as it is, and waits for nobody.
      await rival.awaited(1, written)
      await rival.commit()
      return written
    },
  }
  const wishes: Record<string, Unit['due']> = {
    nothing: { taskId: '', at: null, reason: 'waiting', wakes: 0 },
    later: { taskId: '', at: 1, reason: 'timer', wakes: 0 },
    'now, as it does already': { taskId: '', at: 0, reason: 'start', wakes: 0 },
    'now, for another reason': { taskId: '', at: 0, reason: 'effect', wakes: 0 },
  }
  for (const [when, ring] of Object.entries(ringing)) {
    for (const [wish, due] of Object.entries(wishes)) {
      test(`a task that wants ${wish} and is rung ${when} stays due`, async () => {
        const run = await held(ours)
        const { taskId } = run
        const at = due!.at === null ? null : time.now() + due!.at * 60_000
        const unit = next(ours, run, 0, { due: { ...due!, taskId, at } })
        const [outcome] = await ring(run, () => express(ours.database, [unit], moment()))
        assert.is(outcome?.kind, 'committed')
        const { due_at, look_at, wakes } = await ours.dueOf(taskId)
        assert.equal(
          [due_at <= time.now(), look_at <= time.now() + TOLD_MS, wakes],
          [true, true, 1],
        )
        const [task] = (await ours.store.look(run.resourceId, run.fence))!.tasks
        assert.is(task?.mail.length, 1)
      })
    }
    for (const settled of [true, false]) {
      const what = settled ? 'settles its due entry' : 'says nothing of it'
      test(`mail goes that came ${when} for a run that ended and ${what}`, async () => {
        const run = await held(ours)
        const { due, ...silent } = ended(next(ours, run))
        const unit = settled ? { ...silent, due: due! } : silent
        const [outcome] = await ring(run, () => express(ours.database, [unit], moment()))
        assert.is(outcome?.kind, 'committed')
        assert.is(await ours.dueOf(run.taskId), undefined)
        const mail = await ours.rows('SELECT id FROM events WHERE task_id = $1', [run.taskId])
        assert.equal(mail, [])
      })
    }
  }

  test('a ring of before is told of, though the task is due already for the same reason', async () => {
    const run = await held(ours)
    const { taskId } = run
    await theirs.commit({ sends: [theirs.send(run.resourceId)] })
    const due = { taskId, at: time.now(), reason: 'event', wakes: 0 }
    const [outcome] = await express(ours.database, [next(ours, run, 0, { due })], moment())
    assert.is(outcome?.kind === 'committed' && outcome.isRung, true)
  })

  // ---- many at once ----

  test('nothing is said before it is committed', async () => {
    const run = await held(ours)
    const rival = await holding(theirs.database, lockTask(run.taskId))
    let isSaid = false
    const committing = ours.store.commit([next(ours, run)]).finally(() => {
      isSaid = true
    })
    await rival.awaited()
    await time.settle()
    assert.not.ok(isSaid)
    await rival.commit()
    assert.equal(kinds(await committing), ['committed'])
  })

  test('both paths over the same rows, in whatever order, wait and do not deadlock', async () => {
    const runs = await Promise.all(Array.from({ length: 12 }, () => held(ours)))
    const retried: unknown[] = []
    const rushing = [ours, theirs, ours, theirs].map((pen, nth) => {
      const events = new Events()
      events.on('store.retried', ({ error }) => retried.push(error))
      const { database, store } = pen
      const committer = new Committer({
        database,
        time,
        events,
        toldMs: TOLD_MS,
        alarms: store.alarms,
      })
      const alone = (units: readonly Unit[]) =>
        Promise.all(units.map((unit) => committer.commit([unit])))
      const isHurried = nth < 2
      return async (units: readonly Unit[]) =>
        isHurried ? (await alone(units)).flat() : committer.commit(units)
    })
    const ROUNDS = 60
    for (let round = 0; round < ROUNDS; round++) {
      const racing = rushing.map((commit, nth) => {
        const some = runs.filter((_, index) => (index * 7 + round * 3 + nth) % 4 !== 0)
        const ordered = (round + nth) % 2 ? some : [...some].reverse()
        return commit(ordered.map((run) => racer(ours, run, round)))
      })
      const outcomes = (await within(Promise.all(racing), 20_000, 'all batches ended')).flat()
      assert.is(kinds(outcomes).filter((kind) => kind === 'committed').length, runs.length)
    }
    assert.equal(retried, [], 'no deadlock, and nothing else')
    for (const { taskId, resourceId } of runs) {
      const steps = (await history(taskId)).map(({ step }) => step)
      assert.equal(
        steps,
        Array.from({ length: ROUNDS + 1 }, (_, step) => step),
      )
      const { version } = await ours.one('SELECT version FROM resources WHERE id = $1', [
        resourceId,
      ])
      assert.is(version, ROUNDS / 2)
    }
  })

  /** Every other step has fields: a resource's lock would keep the tasks of the others in order too. */
  const racer = (pen: Pen, run: Run, expected: number) => {
    const set = { [`f${expected % 3}`]: expected }
    const fields = { resourceId: run.resourceId, set, unset: [], aside: {}, version: null }
    return next(pen, run, expected, expected % 2 ? { fields } : {})
  }

  test('two steps of one task at once are one step', async () => {
    const run = await held(ours)
    const at = () => next(ours, run)
    const outcomes = await Promise.all(
      [at(), at(), at()]
        .map((unit) => ours.store.commit([unit]))
        .concat(theirs.store.commit([at()])),
    )
    assert.equal(kinds(outcomes.flat()).sort(), ['committed', ...Array(3).fill('desynchronized')])
    assert.is((await history(run.taskId)).length, 2)
  })

  test.run()

  // ---- an answer that is lost ----

  const lost = suite('an express whose answer is lost')
  let base: Cellar
  let cutter: Awaited<ReturnType<typeof openCutter>>
  let pen: Pen
  let sight: Pen

  lost.before(async () => {
    base = await cellar('postgres')
    cutter = await openCutter(databaseUrl()!)
    pen = new Pen(base.behind(cutter.url), time)
    sight = new Pen(await base.open(), time)
  })
  lost.after.each(letGo)
  lost.after(async () => {
    await base.close()
    await cutter.close()
  })

  /** One that wins, one whose fence is old, one that ends, one of a task that has moved. */
  async function mixed(): Promise<{ runs: Run[]; units: Unit[] }> {
    const runs = await Promise.all(Array.from({ length: 4 }, () => held(sight)))
    await sight.store.claim(runs[1]!.resourceId, 'them')
    await sight.store.commit([next(sight, runs[3]!)])
    const units = runs.map((run) => next(sight, run))
    units[2] = ended(units[2]!)
    return { runs, units }
  }

  async function expectStored(runs: readonly Run[], units: readonly Unit[], outcomes: Outcome[]) {
    const isIn = kinds(outcomes).map((kind) => kind === 'committed')
    assert.equal(isIn, [true, false, true, false])
    const sql = 'SELECT unit_id FROM transitions WHERE unit_id = ANY($1)'
    const rows = await sight.rows(sql, [units.map(({ id }) => id)])
    assert.equal(rows.map(({ unit_id }) => unit_id).sort(), [units[0]!.id, units[2]!.id].sort())
    const steps = await sight.rows('SELECT id, step FROM tasks WHERE id = ANY($1)', [
      runs.map(({ taskId }) => taskId),
    ])
    const stepOf = new Map(steps.map(({ id, step }) => [id, step]))
    assert.equal(
      runs.map(({ taskId }) => stepOf.get(taskId)),
      [1, 0, 1, 1],
    )
  }

  const commit = (units: readonly Unit[]) =>
    Promise.all(units.map((unit) => pen.store.commit([unit]))).then((all) => all.flat())

  for (const cut of ['asked', 'answered'] as const) {
    lost(`when it is ${cut}, outcomes are as stored, and each unit once`, async () => {
      for (let round = 0; round < 5; round++) {
        const { runs, units } = await mixed()
        const before = cutter.cuts
        const told: string[] = []
        const forget = pen.events.on('unit.desynchronized', ({ taskId }) => told.push(taskId!))
        cutter.cutAt(cut, expressOf(units[0]!.id))
        await expectStored(runs, units, await commit(units))
        forget()
        assert.is(cutter.cuts, before + 1)
        assert.not.ok(told.includes(runs[0]!.taskId), 'nobody is told that a winner lost')
      }
    })
  }

  lost('when it still waits for a lock, it is written once, by itself or again', async () => {
    for (let round = 0; round < 5; round++) {
      const { runs, units } = await mixed()
      const rival = await holding(sight.database, lockTask(runs[0]!.taskId))
      const committing = commit(units)
      await rival.awaited()
      const before = await rival.waiting()
      cutter.cutNow()
      // What the server was asked before may wait still, or have left the lane; the second try waits.
      const isTriedAgain = async () => (await rival.waiting()).some((pid) => !before.includes(pid))
      await until(isTriedAgain, { what: 'the second try waited' })
      await rival.commit()
      await expectStored(runs, units, await committing)
    }
  })

  lost.run()
}
