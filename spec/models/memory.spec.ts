// What a rest looks like in the snapshot column: an actor as short as its address allows, and whole when it is read.
import fc from 'fast-check'
import { Address, actorAddress } from '../../lib/address.ts'
import type { Actor, Rest } from '../../lib/rest.ts'
import { fromSnapshot, toSnapshot } from '../../models/memory.ts'
import { codeOf } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { sealer } from '../support/values.ts'

const test = suite('memory')

const resting = (actors: readonly Actor[]): Rest => {
  return { value: 's3', context: {}, status: 'active', timers: [], actors }
}
const stored = (rest: Rest) => JSON.parse(JSON.stringify(toSnapshot(rest, sealer)))
const read = (json: unknown) => fromSnapshot(json, sealer, 'chain')

const effect: Actor = {
  ...{ id: 's3', src: 's3', input: undefined, armedAt: 4, kind: 'effect' },
  address: actorAddress('effect', 'chain', 's3', 4),
}
/** As it was written before the address was enough. */
const whole = {
  ...{ id: 's3', src: 's3', kind: 'effect', armedAt: 4 },
  address: { $actor: ['s3', 'chain', 's3@4'] },
}

test('keeps of a plain effect its address alone', () => {
  assert.equal(stored(resting([effect])).actors, [{ address: { $actor: ['s3', 'chain', 's3@4'] } }])
})

test('keeps whole what its address does not tell', () => {
  const kept = (actor: Partial<Actor>) =>
    Object.keys(stored(resting([{ ...effect, ...actor }])).actors[0])
  assert.equal(kept({ src: 'call' }), ['address', 'src'])
  assert.equal(kept({ input: 7 }), ['address', 'input'])
  const all = ['id', 'src', 'armedAt', 'kind', 'address']
  const twin = actorAddress('effect', 'chain', 's3', 4, 2)
  const stranger = new Address('s4', 'chain', 's3@4')
  const odds: Partial<Actor>[] = [{ id: 's4' }, { armedAt: 5 }, { kind: 'task' }]
  for (const odd of [...odds, { address: twin }, { address: stranger }])
    assert.equal(kept(odd), all, JSON.stringify(odd))
  const child = actorAddress('task', 'chain', 's3', 4)
  assert.equal(kept({ kind: 'task', address: child }), all)
})

test('reads what it wrote, whatever actors there are', () => {
  const id = fc.constantFrom('s3', 's3@4', '@', 'a/b', '0.(machine).s3', '')
  const step = fc.constantFrom(0, 1, 4, 41, 2 ** 31)
  const input = fc.oneof(
    ...[fc.integer(), fc.string(), fc.constant(null), fc.array(fc.boolean())],
    fc.dictionary(fc.constantFrom('a', 'to', '$actor', '$date'), fc.integer(), {
      noNullPrototype: true,
    }),
  )
  const draw = fc.record({
    ...{ id, named: id, src: id, armedAt: step, at: step },
    kind: fc.constantFrom('task' as const, 'effect' as const),
    isOdd: fc.boolean(),
    twin: fc.constantFrom(1, 2),
    more: fc.record(
      { input, keyId: id, systemId: id, sync: fc.constant(true as const) },
      { requiredKeys: [] },
    ),
    isEnded: fc.boolean(),
  })
  const actorOf = (one: any): Actor => {
    const { id, named, src, armedAt, at, kind, isOdd, twin, more, isEnded } = one
    const address = isOdd
      ? actorAddress(kind, 'chain', named, at, twin)
      : actorAddress(kind, 'chain', id, armedAt)
    return { id, src, armedAt, kind, address, ...more, ...(isEnded && { ended: true }) }
  }
  fc.assert(
    fc.property(draw, (one) => {
      const actor = actorOf(one)
      assert.equal(read(stored(resting([actor]))).actors, [actor])
    }),
    { numRuns: 2_000 },
  )
})

test('reads what was stored whole', () => {
  const { input: _, ...known } = effect
  const json = { value: 's3', status: 'active', context: {} }
  assert.equal(read({ ...json, actors: [whole] }).actors, [known])
  const renamed = { ...whole, id: 's5', src: 's5', keyId: 's3' }
  assert.equal(read({ ...json, actors: [renamed] }).actors, [
    { ...known, id: 's5', src: 's5', keyId: 's3' },
  ])
})

test('refuses an actor nobody could have written', async () => {
  const json = { value: 's3', status: 'active', context: {} }
  const refused: unknown[] = [
    ...[null, 7, 's3', {}, { id: 's3' }, { address: 's3@4' }],
    { address: { $actor: ['s3', 'chain', 's4@4'] } },
    { address: { $actor: ['s3', 'chain', 's3@x'] } },
    ...['4.2', '4.0', '', ' 4', '0x10', '-4', '04', '4e1'].map((step) => {
      return { address: { $actor: ['s3', 'chain', `s3@${step}`] } }
    }),
    { address: { $actor: ['s3', 'chain', null] } },
    { ...whole, kind: 'other' },
  ]
  for (const actor of refused) {
    const code = await codeOf(() => read({ ...json, actors: [actor] }))
    assert.is(code, 'STATE_CORRUPT', JSON.stringify(actor))
  }
  for (const actors of [7, {}, null, [whole, whole]]) {
    const code = await codeOf(() => read({ ...json, actors }))
    assert.is(code, 'STATE_CORRUPT', JSON.stringify(actors))
  }
  assert.ok(read({ ...json, actors: [whole] }).actors[0]?.address instanceof Address)
})

test.run()
