// All workloads, in the order in which they are run: those with a bound to hold first, for the last may find no time.
// A new one is a file and a line here.
import { backlog } from './backlog.ts'
import { history } from './history.ts'
import { w1 } from './w1.ts'
import { w2 } from './w2.ts'
import { w3 } from './w3.ts'
import { w5 } from './w5.ts'
import { w6 } from './w6.ts'
import { w7 } from './w7.ts'
import type { Workload } from './workload.ts'

export const WORKLOADS: readonly Workload[] = [w1, w2, w3, backlog, history, w5, w6, w7]
