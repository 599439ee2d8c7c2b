// `escapement explain`: why a task does not move.
// Promise: reads only; one sentence first, then the evidence, then what would change it.
import type { Command } from 'commander'
import { type Door, doing } from '../door.ts'
import { cell, moment, sentence, table } from '../print.ts'
import { resourceWord } from '../words.ts'

export function explainCommand(program: Command, door: Door): void {
  const explain = program
    .command('explain <kind/id> [task]')
    .description('say why a task does not move; of a resource, the most telling of its tasks')
  doing(explain, ([word, task], globals) =>
    door.withApp(globals, async ({ app }) => {
      const { kind, id } = resourceWord(word)
      const { evidence, ...told } = await app.explain(kind, id, task)
      const value = {
        ...told,
        evidence: evidence.map(({ at, ...one }) => ({
          ...one,
          ...(at !== undefined && { at: moment(at) }),
        })),
        actions: told.actions,
      }
      door.show(globals, value, () => paragraphs(value))
    }),
  )
}

interface Told {
  readonly sentence: string
  readonly evidence: readonly { readonly code: string; readonly text: string }[]
  readonly actions: readonly string[]
}

function paragraphs({ sentence: answer, evidence, actions }: Told): string {
  const rows = evidence.map(({ code, text }) => [code, sentence(text)])
  const found = `\n${table(['evidence', 'it'], rows)}`
  const todo = actions.length === 0 ? '' : `\n${actions.map((one) => `  ${cell(one)}\n`).join('')}`
  return `${sentence(answer)}\n${found}${todo}`
}
