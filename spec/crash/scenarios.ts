// All scenarios, by the features they show.
import { ages } from './ages.ts'
import { calls } from './calls.ts'
import { charts } from './charts.ts'
import { families } from './families.ts'
import type { Scenario, World } from './scenario.ts'

/** @param world what their effects and actions are told to */
export const scenarios = (world: World): Scenario[] => [
  ...charts(world),
  ...calls(world),
  ...families(),
  ...ages(world),
]

const NOWHERE: World = { deed: async (_, answer) => answer() }
/** What is asked of them, without a world. */
export const SCENARIOS: readonly Scenario[] = scenarios(NOWHERE)
