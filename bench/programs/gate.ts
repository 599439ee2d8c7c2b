// A gate that opens once, and then lets only so many be inside at a time.

export class Gate {
  readonly #waiting: (() => void)[] = []
  readonly #most: number
  #free = 0

  constructor(most: number) {
    this.#most = most
  }

  open(): void {
    for (let index = 0; index < this.#most; index += 1) this.leave()
  }

  /** Resolves when there is room. */
  async enter(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1
      return
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  leave(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#free += 1
  }
}
