import { decode } from '../../lib/codec.ts'
import { isFault } from '../../lib/errors.ts'
import { assert, suite } from '../support/suite.ts'
import { corrupt, sealer } from '../support/values.ts'

const test = suite('decoder')

/** What no encoder wrote. */
const unwritten: unknown[] = [
  { $date: 'yesterday' },
  { $date: '2026-01-01' },
  { $date: 0 },
  { $date: '2026-02-30T00:00:00.000Z' },
  { $bigint: 12 },
  { $bigint: '012' },
  { $bigint: '-0' },
  { $bigint: '1e9' },
  { $bigint: '' },
  { $number: 'NaN' },
  { $number: '0' },
  { $undefined: null },
  { $bytes: 'not base64!' },
  { $buffer: 'AA' },
  { $buffer: [1] },
  { $map: {} },
  { $map: [['a']] },
  { $map: [['a', 1, 2]] },
  {
    $map: [
      ['a', 1],
      ['a', 2],
    ],
  },
  { $set: 'ab' },
  { $set: [1, 1] },
  { $object: { a: 1 } },
  { $object: [[1, 2]] },
  {
    $object: [
      ['$a', 1],
      ['$a', 2],
    ],
  },
  { $secret: 7 },
  { $ref: 'Server/7' },
  { $ref: null },
  { $ref: { kind: 'planet', type: 'Server', id: '7' } },
  { $ref: { kind: 'task', type: 'Server' } },
  { $unheard: 1 },
  { $date: '1970-01-01T00:00:00.000Z', also: 1 },
  { $toString: 1 },
  Number.POSITIVE_INFINITY,
  Number.NaN,
  undefined,
  1n,
  () => 1,
  new Date(0),
  new Map(),
  [undefined],
]

test('refuses JSON it could not have written', () => {
  for (const json of unwritten) {
    corrupt(json, /at \$/)
    corrupt({ deep: [json] }, /at \$\.deep\[0\]/)
  }
  const notJson = sealer.seal('{')
  corrupt({ $secret: notJson }, /it is not JSON/)
  assert.throws(
    () => decode({ $secret: 'x' }, sealer),
    (error: unknown) => isFault(error, 'SEAL_BROKEN'),
  )
})

test.run()
