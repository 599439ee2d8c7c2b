// The ancestor's example still does what the ancestor's did: one task leaves something for the other.
import appFile, { Example, seed } from '../../examples/toygun/app.ts'
import { openHouse } from '../support/house.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

const toygun = suite('the toygun example')

toygun('echoes from one task to the other', { deadlineMs: 60_000 }, async () => {
  const { app, sql, close } = await openHouse({ resources: appFile.resources })
  await seed(app)
  await app.start()
  await until(() => app.isIdle(), { what: 'nothing was left to do', deadlineMs: 30_000 })
  const example = await app.find(Example).first()
  assert.equal(example?.something, [1, 2, 3])
  assert.instance(example?.since, Date)
  assert.is(example?.password, 'heard 1,2,3')
  const [{ fields }] = await sql('SELECT fields FROM resources')
  assert.not.match(JSON.stringify(fields.password), 'heard')
  assert.is((await example?.another.status())?.status, 'done')
  await close()
})

toygun.run()
