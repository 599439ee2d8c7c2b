// Our program, run as the bench runs it: one process fills the house, another works in it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Contestant } from '../../bench/contestant.ts'
import { cpuMs, peakMb } from '../../bench/meter.ts'
import type { Ground } from '../../bench/protocol.ts'
import { SYSTEMS } from '../../bench/systems.ts'
import { layBlank } from '../support/blank.ts'
import { assert, suite } from '../support/suite.ts'

const program = suite('our program in the bench')
const folder = mkdtempSync(join(tmpdir(), 'escapement-bench-'))
const system = SYSTEMS.find(({ name }) => name === 'escapement:embedded')!

const ground: Ground = {
  ...{ variant: 'embedded', databaseUrl: '', redisUrl: '', restate: null, folder },
  ...{ concurrency: 5, instances: 20, steps: 10 },
}
const contestants: Contestant[] = []
const contestant = (): Contestant => {
  const one = new Contestant(system, ground, null)
  contestants.push(one)
  return one
}

program.after(async () => {
  for (const one of contestants) await one.stop()
  rmSync(folder, { recursive: true, force: true })
})

program('takes twenty instances through ten steps each', { deadlineMs: 100_000 }, async () => {
  await layBlank(join(folder, 'data'))
  const filler = contestant()
  await filler.ask({ does: 'prepare' })
  await filler.close()
  const worker = contestant()
  await worker.ask({ does: 'stand' })
  const before = cpuMs(worker.pid)
  const figures = await worker.ask({ does: 'work' })
  assert.ok(figures.stepP50Ms! > 0 && figures.stepP99Ms! >= figures.stepP50Ms!)
  if (process.platform === 'linux') {
    assert.ok(cpuMs(worker.pid) > before, 'it used the processor')
    assert.ok(peakMb(worker.pid) > 10, 'it used memory')
  }
  await worker.close()
})

program('says what went wrong, and is gone', { deadlineMs: 60_000 }, async () => {
  const lost = new Contestant(system, { ...ground, concurrency: 0 }, null)
  contestants.push(lost)
  const thrown = await lost.ask({ does: 'stand' }).catch((error: Error) => error)
  assert.instance(thrown, Error)
  assert.match((thrown as Error).message, 'ESCAPEMENT_CONCURRENCY is not between 1 and 1000')
  await lost.stop(10_000)
})

program.run()
