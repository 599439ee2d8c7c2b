// Suites of scenes: played where their servers are, and said to be unplayed where they are not.
import { settings } from '../support/services.ts'
import { type Suite, suite } from '../support/suite.ts'

/**
 * A suite of scenes. Where a server is missing they cannot be played, and say so.
 * @param isHere are the programs here that its private servers are made of?
 */
export function scenes(name: string, isHere = true): Suite<any> {
  const test = suite(name)
  if (isHere && settings().includes('full')) return test
  const unplayed = (title: string) =>
    test(title, () => console.log(`note: ${name} ${title}: not played, a server is missing here`))
  const nothing = Object.assign(() => {}, { each: () => {} })
  return Object.assign(unplayed, { before: nothing, after: nothing, run: test.run })
}
