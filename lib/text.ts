// Text that any column can hold: no NUL, no half characters, not longer than it may be.
// Promise: what people read has no secret in it; a key is left as it is, since every process must write it alike.
import { toUSVString } from 'node:util'
import { masked } from './mask.ts'

/** Words for people. @param most how many letters are kept; what is cut ends with an ellipsis, never within a secret */
export const storable = (text: string, most: number): string =>
  storableKey(masked(text, most + 1), most)

/** What rows are known by. */
export function storableKey(text: string, most: number): string {
  const whole = toUSVString(text).replaceAll('\0', '\ufffd')
  return whole.length > most ? `${toUSVString(whole.slice(0, most - 1))}…` : whole
}
