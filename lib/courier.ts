// The courier: statements that are a transaction by themselves, sent over the lane.
// Promise: a commit whose answer was lost is told apart from one that failed; what goes behind a statement is carried out
// after it; what waits long for a lock keeps nobody else waiting, see docs/decisions/0024-short-statements-share-a-lane.md.
import { CommitUnknown, isLocked, isServerSaid } from './answer.ts'
import { ask } from './described.ts'
import { asError } from './errors.ts'
import type { Escort } from './escort.ts'
import type { Car, Lane } from './lane.ts'
import type { Connection } from './pool.ts'
import type { Runner, Statement } from './runner.ts'

export interface CourierParts {
  readonly lane: Lane
  /** Asks over any connection. */
  readonly query: Runner['query']
  /** What is said of an error instead of what the driver says. */
  readonly explain: (thrown: unknown) => Error
}

export class Courier {
  readonly #parts: CourierParts

  constructor(parts: CourierParts) {
    this.#parts = parts
  }

  /**
   * One statement that is a transaction by itself, sent behind those that were sent before.
   * @param escort told when something can be sent behind it
   * @throws CommitUnknown when the connection broke after it was sent
   */
  once(
    text: string,
    params: readonly unknown[],
    escort?: Pick<Escort, 'sent' | 'answered' | 'broke'>,
  ): Promise<{ rows: any[] }> {
    const statement = [text, params] as const
    return this.#shared(
      this.#parts.lane.board(),
      (car) => this.#once(car, statement, escort),
      // Whoever was to go behind it was told that it broke.
      (car) => this.#once(car, statement),
    )
  }

  /**
   * Statements sent together over one connection, each a transaction by itself that sees what those before it did. Where
   * one of them waits long for a lock, all are sent again: those before it, and those after it, are carried out twice.
   * @throws what the first that failed has said; the others were carried out all the same, or their answers are lost
   */
  inTurn(statements: readonly Statement[]): Promise<{ rows: any[] }[]> {
    return this.#together(this.#parts.lane.board(), statements)
  }

  #together(car: Car, statements: readonly Statement[]): Promise<{ rows: any[] }[]> {
    const send = (one: Car) => this.#inTurn(one, statements)
    return this.#shared(car, send, send)
  }

  /** On this car, or beside the lane when that would keep the others waiting for a lock. */
  async #shared<T>(
    car: Car,
    send: (car: Car) => Promise<T>,
    again: (car: Car) => Promise<T>,
  ): Promise<T> {
    try {
      return await send(car)
    } catch (thrown) {
      if (!car.isShared || !isLocked(thrown)) throw thrown
      return again(this.#parts.lane.beside())
    }
  }

  async #once(
    car: Car,
    [text, params]: Statement,
    escort?: Pick<Escort, 'sent' | 'answered' | 'broke'>,
  ): Promise<{ rows: any[] }> {
    const client = await this.#on(car)
    let broken: Error | undefined
    let isOpen = true
    const send = () => {
      const answer = ask(client, text, params)
      escort?.sent({
        query: (more, filled) => this.#parts.query(more, filled),
        inTurn: (statements) =>
          isOpen ? this.#together(car.enter(), statements) : this.inTurn(statements),
      })
      return answer
    }
    try {
      return await this.#parts.lane.commit(car, send)
    } catch (thrown) {
      escort?.broke()
      if (isServerSaid(thrown)) throw thrown
      broken = asError(thrown)
      throw new CommitUnknown(broken.message, { cause: thrown })
    } finally {
      isOpen = false
      escort?.answered()
      car.leave(broken)
    }
  }

  /** All have answered before the connection is anybody else's. */
  async #inTurn(car: Car, statements: readonly Statement[]): Promise<{ rows: any[] }[]> {
    const client = await this.#on(car)
    const answers = await Promise.allSettled(
      statements.map(([text, params]) => ask(client, text, params)),
    )
    this.#parts.lane.answered(car)
    const failed = answers.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    car.leave(failed.find((reason) => !isServerSaid(reason)))
    return answers.map((answer) => {
      if (answer.status === 'fulfilled') return answer.value
      throw this.#parts.explain(answer.reason)
    })
  }

  /** @throws DATABASE_UNREACHABLE, and leaves the car */
  #on(car: Car): Promise<Connection> {
    return car.client.catch((thrown) => {
      car.leave(asError(thrown))
      throw this.#parts.explain(thrown)
    })
  }
}
