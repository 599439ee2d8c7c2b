// A bell: one waits until another rings. A ring that comes before the wait is not lost.
// Promise: no polling and no timers; a bell rung twice before the wait wakes once.
export class Bell {
  #rung = false
  #wake: (() => void) | null = null

  get rung(): boolean {
    return this.#rung
  }

  ring(): void {
    this.#rung = true
    this.#wake?.()
  }

  /** Resolves at the next ring, or at once for one that came before, and takes it. */
  async heard(): Promise<void> {
    if (!this.#rung) await new Promise<void>((resolve) => (this.#wake = resolve))
    this.#wake = null
    this.#rung = false
  }
}
