// Ten thousand events at once to one task, while another resource goes on.
// timeout: 400s
import { quickest } from '../support/services.ts'
import { suite } from '../support/suite.ts'
import { endure } from './flood.ts'

const test = suite('great flood')

test('ten thousand events keep nobody waiting', { deadlineMs: 300_000 }, () =>
  endure(quickest(), 10_000),
)

test.run()
