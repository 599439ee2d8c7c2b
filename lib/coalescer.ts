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

interface Asked<Question, Answer> {
  readonly question: Question
  readonly answer: (answer: Answer) => void
  readonly fail: (error: unknown) => void
}

export class Coalescer<Question, Answer> {
  readonly #options: CoalescerOptions<Question, Answer>
  #waiting: Asked<Question, Answer>[] = []
  #underWay = 0

  constructor(options: CoalescerOptions<Question, Answer>) {
    this.#options = options
  }

  ask(question: Question): Promise<Answer> {
    return new Promise((answer, fail) => {
      this.#waiting.push({ question, answer, fail })
      // Later in this turn of the event loop, so that what is asked in one go travels in one go.
      queueMicrotask(() => this.#depart())
    })
  }

  #depart(): void {
    if (this.#waiting.length === 0 || this.#underWay >= this.#options.trips) return
    this.#underWay += 1
    const asked = this.#waiting.splice(0, this.#options.most)
    void this.#travel(asked).finally(() => {
      this.#underWay -= 1
      this.#depart()
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
