// A stage for a suite: one house, fake time, and a driver, for tests that move everything by hand.
// Promise: opened before the first test and closed, with its search for leaks, after the last.
import type { App } from '../../models/app.ts'
import { type Driver, drive } from './drive.ts'
import { type House, type HouseOptions, openHouse } from './house.ts'
import type { Suite } from './suite.ts'
import { FakeTime } from './time.ts'

export interface Stage extends Driver {
  readonly time: FakeTime
  readonly house: House
  readonly app: App
}

/** Declares the hooks of a suite and answers what they fill in. */
export function stage(test: Suite<any>, options: Omit<HouseOptions, 'time'>): Stage {
  const time = new FakeTime()
  const set = { time } as { -readonly [K in keyof Stage]: Stage[K] }
  test.before(async () => {
    set.house = await openHouse({ ...options, time })
    set.app = set.house.app
    Object.assign(set, drive({ app: set.app, time }))
  })
  test.after(() => set.house?.close())
  return set
}

/** A promise to be settled by hand. */
export interface Gate<T> {
  readonly passed: Promise<T>
  open(value: T): void
  refuse(error: Error): void
}

export function gate<T = void>(): Gate<T> {
  let open!: (value: T) => void
  let refuse!: (error: Error) => void
  const passed = new Promise<T>((resolve, reject) => {
    open = resolve
    refuse = reject
  })
  return { passed, open, refuse }
}

/** The code of the error something fails with. */
export async function codeOf(work: Promise<unknown> | (() => unknown)): Promise<unknown> {
  try {
    await (typeof work === 'function' ? work() : work)
    return 'it did not fail'
  } catch (thrown) {
    return (thrown as { code?: unknown }).code ?? thrown
  }
}
