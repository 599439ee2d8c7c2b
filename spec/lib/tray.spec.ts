// The tray: so many in hand, one parcel waiting, and what waits too long goes back.
import { GIVEN_BACK_MS, Tray } from '../../lib/tray.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const test = suite('tray')

function traying(hands: number) {
  const time = new FakeTime()
  const inHand = new Map<string, () => void>()
  const back: string[][] = []
  const began: string[] = []
  let most = 0
  let rooms = 0
  const tray = new Tray<string>({
    hands,
    time,
    work: (item) =>
      new Promise((done) => {
        began.push(item)
        inHand.set(item, done)
        most = Math.max(most, inHand.size)
      }),
    giveBack: async (items) => void back.push([...items]),
    onRoom: () => rooms++,
  })
  const end = async (item: string) => {
    inHand.get(item)!()
    inHand.delete(item)
    await time.settle()
  }
  return { tray, time, back, began, end, most: () => most, rooms: () => rooms }
}

const items = (count: number, name = 'i') => Array.from({ length: count }, (_, n) => `${name}${n}`)

test('works on as many at once as it has hands, in their order', async () => {
  const { tray, began, end, most, time } = traying(3)
  let isDone = false
  const done = tray.put(items(10)).then(() => (isDone = true))
  assert.equal(began, items(3))
  assert.is(tray.room, -7)
  for (const item of items(10)) {
    assert.is(isDone, false)
    await end(item)
  }
  await done
  assert.equal(began, items(10))
  assert.is(most(), 3)
  await time.advance(GIVEN_BACK_MS)
  assert.is(time.sleeping, 0)
})

test('a lone item waits for nothing, and sets no timer', async () => {
  const { tray, time, began, end } = traying(3)
  const done = tray.put(['one'])
  assert.equal(began, ['one'])
  assert.is(time.sleeping, 0)
  await end('one')
  await done
  await tray.put([])
})

test('says when there is room, and not while something waits', async () => {
  const { tray, end, rooms } = traying(2)
  void tray.put(items(4))
  await end('i0')
  await end('i1')
  assert.is(rooms(), 0)
  await end('i2')
  assert.is(rooms(), 1)
  assert.is(tray.room, 1)
})

test('a second parcel does not wait: it goes back at once, but for what a free hand takes', async () => {
  const { tray, back, began } = traying(2)
  void tray.put(items(3))
  await tray.put(items(2, 'second'))
  assert.equal(back, [items(2, 'second')])
  assert.equal(began, items(2))
})

test('what waits too long goes back, and its parcel is done when the rest is', async () => {
  const { tray, time, back, end } = traying(1)
  let isDone = false
  const done = tray.put(items(3)).then(() => (isDone = true))
  await time.advance(GIVEN_BACK_MS - 1)
  assert.equal(back, [])
  await time.advance(1)
  assert.equal(back, [['i1', 'i2']])
  assert.is(time.sleeping, 0)
  assert.is(isDone, false)
  await end('i0')
  await done
})

test('stopped it gives back what waits, and whatever still comes', async () => {
  const { tray, time, back, end, rooms } = traying(1)
  const done = tray.put(items(3))
  tray.stop()
  assert.equal(back, [['i1', 'i2']])
  await tray.put(items(2, 'late'))
  assert.equal(back[1], items(2, 'late'))
  await end('i0')
  await done
  assert.is(rooms(), 0)
  assert.is(time.sleeping, 0)
})

test.run()
