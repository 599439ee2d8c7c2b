// A verb that was refused inside a step, and whether anybody asked.
/** A verb that was refused, and whether anybody asked. Unheard, it is no unhandled rejection: its step fails. */
export class Refused extends Promise<never> {
  static override readonly [Symbol.species] = Promise
  isHeard = false
  readonly handled = super.then(undefined, () => {})

  // biome-ignore lint/suspicious/noThenProperty: awaiting is what it wants to know of
  override then<A = never, B = never>(
    whenDone?: ((value: never) => A | PromiseLike<A>) | null,
    whenRefused?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.isHeard = true
    return super.then(whenDone, whenRefused)
  }
}
