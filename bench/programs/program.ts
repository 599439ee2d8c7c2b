// The side of a program: orders in, answers out.
// Promise: one order at a time; what goes wrong is said in one line and ends the process.
import { createInterface } from 'node:readline'
import {
  type Answer,
  type Figures,
  GROUND,
  type Ground,
  type Laid,
  type Order,
} from '../protocol.ts'
import { quantile } from '../sums.ts'

/** One system, as the bench uses it on one ground. Each order comes once at most; `prepare` has a process of its own. */
export interface Program {
  prepare?(): Promise<void>
  stand(): Promise<void>
  /** Resolves when the last step is durable. */
  work(): Promise<Figures>
  /** Begins to work while there is nothing to do, and makes what so many probes need. */
  idle?(count: number): Promise<void>
  /** Starts one task of one step and resolves when that is durable. */
  probe?(index: number): Promise<void>
  /** Puts so many into the database without working on them. */
  lay?(what: Laid, count: number): Promise<void>
  /** Begins to work, and resolves at once. */
  begin?(): Promise<void>
  /** Resolves when the database says that nothing is left to do. */
  watch?(): Promise<void>
  /** Works until nothing is left, and starts tasks of one step meanwhile. */
  drain?(perSecond: number): Promise<Figures>
  /** Starts a task with so many children, and resolves when all have ended. */
  fan?(count: number): Promise<Figures>
  /** Steps on in a task with a short history and in one with a long history. */
  stride?(count: number): Promise<Figures>
  close(): Promise<void>
}

/** Serves the orders of the harness. @param make what the process does, on each ground it is given */
export function serve(make: (ground: Ground) => Program): void {
  let program = make(JSON.parse(process.env[GROUND] ?? '{}'))
  const fail = (error: unknown) => {
    answer({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    process.exit(1)
  }
  process.on('uncaughtException', fail)
  process.on('unhandledRejection', fail)
  const orders = createInterface({ input: process.stdin })
  // A harness that is gone has no use for us.
  orders.on('close', () => process.exit(1))
  orders.on('line', (line) => {
    const order: Order = JSON.parse(line)
    if (order.does === 'enter') program = make(order.ground)
    follow(program, order)
      .then((figures) => {
        answer({ did: order.does, figures })
        if (order.does === 'close') process.exit(0)
      })
      .catch(fail)
  })
}

async function follow(program: Program, order: Order): Promise<Figures> {
  if (order.does === 'work') return program.work()
  if (order.does === 'probe') return probe(program, order)
  if (order.does === 'drain') return program.drain!(order.perSecond)
  if (order.does === 'stride') return program.stride!(order.count)
  if (order.does === 'fan') return program.fan!(order.count)
  if (order.does === 'lay') await program.lay!(order.what, order.count)
  else if (order.does === 'idle') await program.idle!(order.count)
  else if (order.does === 'leave') await program.close()
  else if (order.does !== 'enter') await program[order.does]?.()
  return {}
}

/** Starts tasks at a steady pace, whether or not those before have ended. */
async function probe(
  program: Program,
  { count, perSecond, from = 0 }: { count: number; perSecond: number; from?: number },
): Promise<Figures> {
  const startedAt = performance.now()
  const latenciesMs = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const atMs = startedAt + (index * 1_000) / perSecond
      await new Promise((resolve) => setTimeout(resolve, atMs - performance.now()))
      const submittedAt = performance.now()
      await program.probe!(from + index)
      return performance.now() - submittedAt
    }),
  )
  const sorted = latenciesMs.sort((a, b) => a - b)
  return { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) }
}

function answer(line: Answer): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

/** Does something for 0, 1, 2 … with several hands, and resolves when all is done. */
export async function inLanes(
  count: number,
  lanes: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const lane = async () => {
    for (let index = next++; index < count; index = next++) await work(index)
  }
  await Promise.all(Array.from({ length: Math.min(lanes, count) }, lane))
}
