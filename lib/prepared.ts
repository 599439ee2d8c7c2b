// Prepared statements: texts that are sent again and again, parsed and planned once by each connection.
// Promise: a text has one name for the life of the process; what was not marked is sent as it is.

const names = new Map<string, string>()

/**
 * Marks a statement as one worth preparing: its text never changes, and it is sent often.
 * @returns the text
 */
export function prepared(text: string): string {
  if (!names.has(text)) names.set(text, `e${names.size}`)
  return text
}

/** All that were marked, as far as their modules are loaded. */
export const statements = (): readonly string[] => [...names.keys()]

/** The statement as node-postgres takes it. */
export function asked(text: string, values: readonly unknown[] = []) {
  const name = names.get(text)
  const known = { text, values: values as unknown[] }
  return name === undefined ? known : { text, values: known.values, name }
}
