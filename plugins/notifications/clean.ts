// Stored text made safe to show: in a line, in a header, in an error.
// Promise: nothing stored can end a line, move a cursor or turn the direction of writing.

/** C0 and C1 controls, line separators, and the marks that turn the direction of writing. */
const UNSAFE = /[\p{Cc}\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]+/gu
/** A name and a password in an address. */
const LOGIN = /(\w:\/\/)[^\s/@]*@/g
const MOST_ERROR = 500
/** Shorter ones would mask words that mean something else. */
const LEAST_SECRET = 4

/** A text on one line. */
export const onOneLine = (text: string): string => text.replace(UNSAFE, ' ')

/** A function that takes these secrets, and logins in addresses, out of a text. */
export function masking(secrets: readonly string[]): (text: string) => string {
  const known = secrets.filter(({ length }) => length >= LEAST_SECRET)
  const longestFirst = known.sort((a, b) => b.length - a.length)
  return (text) =>
    onOneLine(
      longestFirst
        .reduce((rest, secret) => rest.replaceAll(secret, '[secret]'), text)
        .replace(LOGIN, '$1[secret]@'),
    ).slice(0, MOST_ERROR)
}
