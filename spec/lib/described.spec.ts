// Described statements: what is described once is answered as if it were described each time.
import fc from 'fast-check'
import type { Database } from '../../lib/database.ts'
import { prepared } from '../../lib/prepared.ts'
import { bareDatabase, freshSchema } from '../support/house.ts'
import { settings } from '../support/services.ts'
import { codeOf } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

const COLUMNS = `$1::bigint AS big, $2::text AS words, to_timestamp($3::double precision / 1000.0) AS at,
  $4::jsonb AS document, $5::uuid[] AS ids, $6::boolean AS flag, $1::integer AS "select"`
const PLAIN = `SELECT ${COLUMNS} FROM generate_series(1, $7::integer)`
const NAMED = prepared(`SELECT ${COLUMNS} FROM generate_series(1, $7::integer) /* named */`)
const DIVIDED = prepared('SELECT 12 / $1::integer AS n')
const WRITTEN = prepared('UPDATE notes SET n = n + $1::integer')
const READ = prepared('SELECT * FROM pages')

const value = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: null })
const params = fc.tuple(
  value(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
  value(fc.string().map((text) => text.replaceAll('\0', ''))),
  value(fc.integer({ min: 0, max: 4e12 })),
  value(fc.jsonValue().map((json) => JSON.stringify(json).replaceAll('\\u0000', ''))),
  value(fc.array(fc.uuid(), { maxLength: 3 })),
  value(fc.boolean()),
  fc.integer({ min: 0, max: 3 }),
)

for (const setting of settings().filter((setting) => setting !== 'full')) {
  const test = suite(`described statements, ${setting}`)
  const schema = freshSchema()
  let database: Database
  let dismiss: () => Promise<void>

  test.before(async () => {
    ;({ database, dismiss } = await bareDatabase(setting, schema))
    await database.query(`CREATE SCHEMA "${schema}"`)
    await database.query('CREATE TABLE notes (n integer NOT NULL)')
    await database.query('INSERT INTO notes VALUES (1), (2)')
    await database.query('CREATE TABLE pages AS SELECT 7 AS n')
  })
  test.after(async () => {
    await database.query(`DROP SCHEMA "${schema}" CASCADE`)
    await dismiss()
  })

  test('are answered like any other, whatever is in the answer', async () => {
    const same = async (given: readonly (readonly unknown[])[]) => {
      // The plain ones are described each time.
      const all = await Promise.all([
        ...given.map((one) => database.once(NAMED, one)),
        ...given.map((one) => database.once(PLAIN, one)),
      ])
      const rows = all.map((answer) => answer.rows.map((row) => ({ ...row })))
      assert.equal(rows.slice(0, given.length), rows.slice(given.length))
    }
    await fc.assert(fc.asyncProperty(fc.array(params, { minLength: 1, maxLength: 6 }), same), {
      numRuns: 60,
    })
  })

  test('also behind one that failed, and where there are no rows', async () => {
    const asked = (n: number) => database.once(DIVIDED, [n])
    for (let nth = 0; nth < 2; nth++) {
      const answers = await Promise.allSettled([asked(3), asked(0), asked(4)])
      const rows = answers.map((one) => (one.status === 'fulfilled' ? one.value.rows : one.reason))
      assert.equal([{ ...rows[0][0] }, { ...rows[2][0] }], [{ n: 4 }, { n: 3 }])
      assert.is(rows[1].code, '22012')
      assert.equal((await database.once(WRITTEN, [1])).rows, [])
    }
    assert.is(await codeOf(database.once(DIVIDED, ['x'])), '22P02')
    assert.equal((await database.once(DIVIDED, [6])).rows[0].n, 2)
  })

  test('of a table that has changed are refused, not misread', async () => {
    const [{ n }] = (await database.once(READ, [])).rows
    await database.query('ALTER TABLE pages ALTER n TYPE text, ADD late text DEFAULT $$x$$')
    const read = await database.once(READ, []).then(
      ({ rows }) => rows.map((row) => ({ ...row })),
      (error) => error.code,
    )
    if (read !== '0A000') assert.equal(read[0], { n: String(n), late: 'x' })
  })

  test.run()
}
