// The escort: a hand that comes for a run while its start is still on the way, and claims right behind it.
// Promise: what is claimed behind a start sees what that wrote; whoever waits goes on when the start is over, however it
// ended; where it is not certain that the claim saw the run, `hasSeen` is false and somebody has to be told.
import type { Sequence } from './runner.ts'
import type { NewRun } from './unit.ts'

/** A run on its way into the store. */
type Started = Pick<NewRun, 'id' | 'resourceId'>

/** One start on its way. */
export class Escort {
  readonly #come: () => void
  readonly #leave: () => void
  #waiting: ((behind: Sequence | null) => void)[] = []
  #behind: Sequence | null = null
  #isTaken = false
  #isOver = false
  #isBroken = false

  /**
   * @param come called once the start was sent, so that it does not wait for whoever comes
   * @param leave called when it is over
   */
  constructor(come: () => void, leave: () => void) {
    this.#come = come
    this.#leave = leave
  }

  /** Has somebody come for it whose claim comes after its commit? */
  get hasSeen(): boolean {
    return this.#isTaken && !this.#isBroken
  }

  /** The start was sent. @param behind what is sent there is carried out after it */
  sent(behind: Sequence): void {
    this.#behind = behind
    this.#wake()
    this.#come()
  }

  /** It was answered: what is sent now goes any way. */
  answered(): void {
    this.#behind = null
  }

  /** It failed, and may be tried again: what went behind it may have come before. */
  broke(): void {
    this.#isBroken = true
  }

  /** Whoever started the run knows what became of it. */
  end(): void {
    this.#isOver = true
    this.#behind = null
    this.#leave()
    this.#wake()
  }

  /** Resolves when the run may be claimed. @returns where: behind its start, or null for anywhere */
  async take(): Promise<Sequence | null> {
    if (this.#isOver) return null
    this.#isTaken = true
    return this.#behind ?? new Promise((resolve) => this.#waiting.push(resolve))
  }

  #wake(): void {
    for (const go of this.#waiting.splice(0)) go(this.#behind)
  }
}

/** Those on their way, one for each resource at most. */
export class Escorts {
  readonly #escorts = new Map<string, { readonly taskId: string; readonly escort: Escort }>()

  /**
   * @param run the run that is started
   * @param come called once its start was sent
   * @returns null while another start of the resource has one
   */
  add({ resourceId, id: taskId }: Started, come: () => void): Escort | null {
    if (this.#escorts.has(resourceId)) return null
    const escort = new Escort(come, () => this.#escorts.delete(resourceId))
    this.#escorts.set(resourceId, { taskId, escort })
    return escort
  }

  /** The one of this very start. */
  of({ resourceId, id: taskId }: Started): Escort | undefined {
    const one = this.#escorts.get(resourceId)
    return one?.taskId === taskId ? one.escort : undefined
  }

  /** The one that whoever claims the resource waits for. */
  at(resourceId: string): Escort | undefined {
    return this.#escorts.get(resourceId)?.escort
  }
}
