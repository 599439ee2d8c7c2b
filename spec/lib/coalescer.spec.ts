// The coalescer: who travels together, who gets which answer, and whose error is whose.
import { Coalescer } from '../../lib/coalescer.ts'
import { turn } from '../../lib/time.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('coalescer')

/** A coalescer whose trips end when told to. */
function station(options: { most?: number; trips?: number } = {}) {
  const { most = 10, trips = 1 } = options
  const departed: { questions: readonly number[]; arrive: (error?: Error) => void }[] = []
  const trip = (questions: readonly number[]) =>
    new Promise<number[]>((answer, fail) => {
      const arrive = (error?: Error) => (error ? fail(error) : answer(questions.map((n) => n * 10)))
      departed.push({ questions, arrive })
    })
  const isPersonal = (error: unknown) => (error as Error).message === 'personal'
  return { departed, line: new Coalescer<number, number>({ trip, most, trips, isPersonal }) }
}

/** Lets everything that is ready happen in this turn of the event loop, and then in the next ones. */
const ready = () => new Promise<void>((resolve) => process.nextTick(resolve))
const settled = async () => {
  for (let turns = 0; turns < 3; turns++) await turn()
}

test('lets a lone question depart at once', async () => {
  const { line, departed } = station()
  const answer = line.ask(1)
  await ready()
  assert.equal(departed[0]?.questions, [1], 'within the same turn of the event loop')
  departed[0]?.arrive()
  assert.is(await answer, 10)
})

test('takes together what is asked while a trip is under way, and answers each', async () => {
  const { line, departed } = station()
  const first = line.ask(1)
  await settled()
  const others = [2, 3, 4].map((n) => line.ask(n))
  await settled()
  assert.is(departed.length, 1)
  departed[0]?.arrive()
  assert.is(await first, 10)
  await settled()
  assert.equal(departed[1]?.questions, [2, 3, 4])
  departed[1]?.arrive()
  assert.equal(await Promise.all(others), [20, 30, 40])
})

test('lets what the answers of one trip lead to travel together', async () => {
  const { line, departed } = station({ trips: 2 })
  const askers = [1, 2, 3].map(async (n) => line.ask((await line.ask(n)) + 1))
  await settled()
  const others = [8, 9].map((n) => line.ask(n))
  await settled()
  departed[0]?.arrive()
  await settled()
  assert.equal(
    departed.map(({ questions }) => questions),
    [
      [1, 2, 3],
      [8, 9],
      [11, 21, 31],
    ],
  )
  for (const { arrive } of departed) arrive()
  assert.equal(await Promise.all([...askers, ...others]), [110, 210, 310, 80, 90])
})

test('lets what one trip leads to leave together, however many promises later each is asked', async () => {
  const { line, departed } = station({ trips: 2 })
  const askers = [5, 7, 9].map(async (promises) => {
    await line.ask(promises)
    for (let more = 0; more < promises; more++) await null
    return line.ask(promises + 1)
  })
  await ready()
  departed[0]?.arrive()
  await settled()
  assert.equal(
    departed.map(({ questions }) => questions),
    [
      [5, 7, 9],
      [6, 8, 10],
    ],
  )
  departed[1]?.arrive()
  assert.equal(await Promise.all(askers), [60, 80, 100])
})

test('gives one question no trip of its own beside one of many', async () => {
  const { line, departed } = station({ trips: 2 })
  const many = [1, 2, 3].map((n) => line.ask(n))
  await settled()
  const lone = line.ask(9)
  await settled()
  assert.is(departed.length, 1, 'it waits for company')
  departed[0]?.arrive()
  await settled()
  assert.equal(departed[1]?.questions, [9], 'or for the others to arrive')
  departed[1]?.arrive()
  assert.equal(await Promise.all([...many, lone]), [10, 20, 30, 90])
})

test('takes no more on one trip than it may, and makes no more trips at once than it may', async () => {
  const { line, departed } = station({ most: 2, trips: 2 })
  const answers = [1, 2, 3, 4, 5].map((n) => line.ask(n))
  await settled()
  assert.equal(
    departed.map(({ questions }) => questions),
    [
      [1, 2],
      [3, 4],
    ],
  )
  departed[1]?.arrive()
  await settled()
  assert.equal(departed[2]?.questions, [5])
  departed[0]?.arrive()
  departed[2]?.arrive()
  assert.equal(await Promise.all(answers), [10, 20, 30, 40, 50])
})

test('asks again one by one when one question may have spoilt the trip', async () => {
  const { line, departed } = station()
  const answers = [1, 2].map((n) => line.ask(n).catch(String))
  await settled()
  departed[0]?.arrive(new Error('personal'))
  await settled()
  assert.equal(departed[1]?.questions, [1])
  departed[1]?.arrive(new Error('personal'))
  await settled()
  assert.equal(departed[2]?.questions, [2])
  departed[2]?.arrive()
  assert.equal(await Promise.all(answers), ['Error: personal', 20])
})

test('gives a common error to all of the trip and goes on with the next', async () => {
  const { line, departed } = station()
  const failed = [1, 2].map((n) => line.ask(n).catch(String))
  await settled()
  departed[0]?.arrive(new Error('gone'))
  assert.equal(await Promise.all(failed), ['Error: gone', 'Error: gone'])
  const next = line.ask(3)
  await settled()
  departed[1]?.arrive()
  assert.is(await next, 30)
})

test.run()
