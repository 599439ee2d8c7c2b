// What the code of one step had to say, for its line of the history.
// Promise: one text that a column can hold, or none.
import { storable } from '../lib/text.ts'

const MOST_NOTES = 100
const MOST_LETTERS = 1_000

export class Notes {
  readonly #notes: string[] = []

  /** What would not fit into one line is left off. */
  add(text: string): void {
    if (this.#notes.length < MOST_NOTES) this.#notes.push(String(text))
  }

  /** All that was noted, as one text; null when nothing was. */
  get message(): string | null {
    if (this.#notes.length === 0) return null
    return storable(this.#notes.join('; ').replaceAll('\0', ''), MOST_LETTERS)
  }
}
