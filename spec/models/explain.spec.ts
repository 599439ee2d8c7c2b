// Explain: one prepared situation for each answer, and the answer that is right.
// timeout: 240s
import { readFileSync } from 'node:fs'
import type { Explanation } from '../../bin/index.ts'
import { ANSWERS, EVIDENCE } from '../../models/explanations.ts'
import { Pump, Scene } from '../exams/pump.ts'
import { ran, SITUATIONS } from '../exams/stalls.ts'
import { rowsOf } from '../support/pages.ts'
import { settings } from '../support/services.ts'
import { codeOf, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

for (const setting of settings()) {
  const test = suite(`explain, ${setting}`)
  const on = stage(test, { resources: [Pump], setting })
  let at: Scene
  test.before.each(() => {
    at = new Scene(on)
  })
  test.after.each(() => at.over())

  for (const { code, said, does, prepare } of SITUATIONS) {
    test(`says ${code}: ${said}`, async () => {
      const { id, task } = await prepare(at)
      const told = await on.app.explain(Pump, id, task)
      assert.is(told.code, code, JSON.stringify(told, null, 1))
      assert.match(told.sentence, said)
      assert.ok(told.sentence.startsWith(task ? `${task} of Pump/${id} ` : ''), told.sentence)
      if (does) assert.match(told.actions[0] ?? 'no action', does)
    })
  }

  test('finds the most telling of the tasks of a resource', async () => {
    const pump = await at.make()
    for (const name of ['listen', 'sleep', 'bad', 'flaky'] as const) await pump[name].start()
    await on.tick(pump.id)
    const told = await pump.explain()
    assert.equal([told.task, told.code], ['bad', 'panicked'])
    await pump.bad.stop()
    assert.is((await pump.explain()).code, 'retry')
  })

  test('tells beside it what else is known', async () => {
    const pump = await at.make()
    await pump.hang.start()
    await at.death(pump.id)
    await pump.hang.send('X' as never).catch(() => {})
    await on.house.sql(
      `INSERT INTO alarms (id, key, name, resource_id, closes, severity, state, message, count, episode, owner,
         first_seen_at, last_seen_at, opened_at, rest, version)
       VALUES ($1, 'k', 'flood', $1, 'told', 'error', 'acknowledged', 'water', 1, 1, 'ann', now(), now(), now(), '{}', 0)`,
      [pump.id],
    )
    await at.busy(pump.id, await at.hire())
    const { evidence } = await pump.explain('hang')
    const text = (code: string) => evidence.find((one) => one.code === code)?.text ?? 'nothing'
    assert.match(text('strikes'), 'a process died while this was in hand (worker-')
    assert.match(text('alarm'), 'has an alarm flood (error), acknowledged by ann, opened')
    assert.match(text('lease'), `(process ${process.pid} on`)
    assert.match(text('staff'), 'a clock: none is alive')
    assert.match(text('resting'), 'is running in state on at step 1 since')
    assert.match(text('progress'), '{"parts":2}')
    await on.house.sql('DELETE FROM alarms')
  })

  test('has one form as JSON, and changes nothing', async () => {
    const { id, task } = await ran(at, 'sleep')
    const rows = () =>
      on.house.sql('SELECT (SELECT json_agg(t) FROM tasks t), (SELECT json_agg(d) FROM dues d)')
    const before = await rows()
    const told: Explanation = await on.app.explain('Pump', id, task)
    const keys = ['kind', 'id', 'task', 'code', 'sentence', 'evidence', 'actions']
    assert.equal(Object.keys(JSON.parse(JSON.stringify(told))), keys)
    for (const { code, text, at: moment, ...more } of told.evidence) {
      assert.ok(code in ANSWERS || code in EVIDENCE, code)
      assert.type(text, 'string')
      assert.ok(moment === undefined || Number.isInteger(moment))
      assert.equal(more, {})
    }
    assert.equal(await rows(), before)
  })

  test('refuses what there never was', async () => {
    const nobody = '00000000-0000-7000-8000-000000000000'
    assert.is(await codeOf(on.app.explain(Pump, nobody)), 'RESOURCE_UNKNOWN')
    assert.is(await codeOf(on.app.explain(Pump, 'x')), 'RESOURCE_UNKNOWN')
    assert.is(await codeOf(on.app.explain('Ship', nobody)), 'RESOURCE_KIND_UNKNOWN')
    assert.is(await codeOf((await at.make()).explain('swim')), 'TASK_UNKNOWN')
  })

  test.run()
}

const pages = suite('the answers of explain')

pages('have each a prepared situation', () => {
  const prepared = new Set(SITUATIONS.map(({ code }) => code))
  assert.equal([...prepared].sort(), Object.keys(ANSWERS).sort())
})

pages('are the table of the documentation, in the order of their weight', () => {
  const page = readFileSync('docs/explain.md', 'utf8')
  for (const [at, codes] of [ANSWERS, EVIDENCE].entries()) {
    const rows = rowsOf(page.split('## Only evidence')[at] ?? '')
    assert.equal(
      rows,
      Object.entries(codes).map(([code, meaning]) => [`\`${code}\``, meaning]),
    )
  }
})

pages.run()
