// The flags of the bench.
import { spawnSync } from 'node:child_process'
import { BadFlag, planOf } from '../../bench/options.ts'
import { assert, suite } from '../support/suite.ts'

const options = suite('flags of the bench')

const names = (...words: string[]) => planOf(words)!.systems.map(({ name }) => name)
const sentence = (...words: string[]): string => {
  try {
    planOf(words)
  } catch (thrown) {
    assert.instance(thrown, BadFlag)
    return (thrown as Error).message
  }
  throw new Error(`nobody objected to ${words.join(' ')}`)
}

options('measure everything three times unless told', () => {
  const plan = planOf([])!
  assert.is(plan.rounds, 3)
  assert.is(plan.extent.isQuick, false)
  assert.ok(plan.only.includes('W1') && plan.only.includes('W2'))
  assert.equal(plan.files, {})
})

options('measure less when it should be quick', () => {
  assert.is(planOf(['--quick'])!.rounds, 1)
  assert.equal([planOf(['--quick'])!.minutes, planOf([])!.minutes], [9.5, Infinity])
  assert.is(planOf(['--quick', '--minutes', '3'])!.minutes, 3)
  assert.ok(names('--quick').length < names().length)
  assert.is(names('--quick')[0], 'escapement:full')
})

options('name peers with or without their variant, and ours always runs', () => {
  assert.equal(names('--peers', 'restate:p4'), ['escapement:full', 'restate:p4'])
  const some = names('--peers', 'toygun, dbos')
  assert.equal(some, ['escapement:full', 'dbos:direct', 'dbos:fast', 'toygun'])
  assert.equal(names('--peers', 'none'), ['escapement:full'])
})

options('name workloads, sizes and files', () => {
  const words = ['--only', 'w2,W1', '--rounds', '5', '--instances', '20', '--json', 'a.json']
  const { only, rounds, extent, files } = planOf(words)!
  assert.equal(only, ['W2', 'W1'])
  assert.equal([rounds, extent.instances], [5, 20])
  assert.equal(files, { json: 'a.json' })
})

options('are told in one sentence when they are wrong', () => {
  assert.match(sentence('--only', 'W99'), '--only knows no workload "W99"; there are W1, W2')
  assert.match(sentence('--only', ''), '--only knows no workload ""')
  assert.match(sentence('--peers', 'dbos,temporal'), '--peers knows no system "temporal"')
  assert.match(sentence('--peers', ''), '--peers knows no system ""')
  assert.match(sentence('--rounds', '0'), '--rounds takes a whole number from 1 to 100, not "0".')
  assert.match(sentence('--instances', '1e3'), '--instances takes a whole number')
  assert.match(sentence('--fast'), "unknown option '--fast'")
  assert.match(sentence('--json'), 'argument missing')
  assert.match(sentence('W1'), 'too many arguments')
})

options('end the command with 2 before anything is installed or started', () => {
  const words = ['--import', 'tsx', 'bench/run.ts', '--rounds', 'many']
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' })
  assert.is(status, 2)
  assert.is(stdout, '')
  assert.is(stderr, '--rounds takes a whole number from 1 to 100, not "many".\n')
})

options.run()
