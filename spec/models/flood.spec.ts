// A thousand events at once to one task, in every setting, while another resource goes on.
import { settings } from '../support/services.ts'
import { suite } from '../support/suite.ts'
import { endure } from './flood.ts'

const test = suite('flood')

for (const setting of settings()) {
  test(`a thousand events keep nobody waiting, ${setting}`, { deadlineMs: 90_000 }, () =>
    endure(setting, 1_000),
  )
}

test.run()
