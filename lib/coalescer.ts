// The coalescer: what is asked while one trip is under way goes together in the next.
// Promise: nothing waits while no trip is under way; each asker gets the answer to its own question; an
// error that one question caused does not become the answer to the others.
export interface CoalescerOptions<Question, Answer> {
  /** Makes one trip; answers in the order of the questions. */
  readonly trip: (questions: readonly Question[]) => Promise<readonly Answer[]>
  /** The most questions of one trip. */
  readonly most: number
  /** How many trips may be under way at once. */
  readonly trips: number
  /** Can this error be the fault of one question? Then each is asked alone. */
  readonly isPersonal: (error: unknown) => boolean
}

/** A second trip has at least so large a part of the first. */
const FAIR = 2

interface Asked<Question, Answer> {
  readonly question: Question
  readonly answer: (answer: Answer) => void
  readonly fail: (error: unknown) => void
}

export class Coalescer<Question, Answer> {
  readonly #options: CoalescerOptions<Question, Answer>
  #waiting: Asked<Question, Answer>[] = []
  #underWay = 0
  /** Questions on their way. */
  #travelling = 0
  #isBoarding = false

  constructor(options: CoalescerOptions<Question, Answer>) {
    this.#options = options
  }

  ask(question: Question): Promise<Answer> {
    return new Promise((answer, fail) => {
      this.#waiting.push({ question, answer, fail })
      this.#board()
    })
  }

  /**
   * The answers of one trip make the questions of the next, each some promises later than the answer: the trip leaves
   * when no promise has anything more to ask, which is when Node comes to its ticks. Waiting for the end of this turn of
   * the event loop would be waiting for what other sockets have brought.
   */
  #board(): void {
    if (this.#isBoarding) return
    this.#isBoarding = true
    process.nextTick(() => this.#depart())
  }

  #depart(): void {
    this.#isBoarding = false
    const { trips, most } = this.#options
    const waiting = this.#waiting.length
    if (waiting === 0 || this.#underWay >= trips) return
    // Few beside many would have a whole trip for themselves: they wait for company, or for the others to arrive.
    if (waiting < most && waiting * FAIR < this.#travelling) return
    this.#underWay += 1
    const asked = this.#waiting.splice(0, most)
    this.#travelling += asked.length
    if (this.#waiting.length > 0) this.#board()
    void this.#travel(asked).finally(() => {
      this.#underWay -= 1
      this.#travelling -= asked.length
      if (this.#waiting.length > 0) this.#board()
    })
  }

  async #travel(asked: readonly Asked<Question, Answer>[]): Promise<void> {
    const { trip, isPersonal } = this.#options
    try {
      const answers = await trip(asked.map(({ question }) => question))
      for (const [index, { answer }] of asked.entries()) answer(answers[index] as Answer)
    } catch (error) {
      if (asked.length > 1 && isPersonal(error)) for (const one of asked) await this.#travel([one])
      else for (const { fail } of asked) fail(error)
    }
  }
}
