// Confirming what cannot be undone: a person types a word, a script says --yes.
import { createInterface } from 'node:readline/promises'
import { fault } from '../lib/errors.ts'
import type { Street } from './street.ts'

/**
 * @param deed what will be done, after "This"
 * @param word what a person has to type, and what it is
 * @throws CONFIRMATION_MISSING
 */
export async function confirm(
  street: Street,
  {
    yes,
    deed,
    word,
    what,
  }: { yes?: boolean | undefined; deed: string; word: string; what: string },
): Promise<void> {
  if (yes) return
  if (!street.input.isTTY) throw fault('CONFIRMATION_MISSING', { deed })
  const asker = createInterface({ input: street.input, output: street.err.stream })
  try {
    const question = `This ${deed}. Type ${what} to go on: `
    const answer = await asker.question(question, { signal: street.stopped })
    if (answer.trim() !== word) throw fault('CONFIRMATION_MISSING', { deed })
  } finally {
    asker.close()
  }
}
