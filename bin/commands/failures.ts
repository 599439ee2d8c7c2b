// `escapement failures`: attempts and panics, as they were kept.
// Promise: reads only; what is shown was masked when it was written, and is masked again.
import type { Command } from 'commander'
import { toMs } from '../../lib/duration.ts'
import { masked } from '../../lib/mask.ts'
import type { FailureLine, FailuresWanted } from '../../models/index.ts'
import { type Door, doing, type Globals, type Opened } from '../door.ts'
import { moment, table } from '../print.ts'
import { resourceWord, whole } from '../words.ts'

interface Options extends Globals {
  readonly task?: string
  readonly class?: string
  readonly code?: string
  readonly since?: string
  readonly limit: number
}

export function failuresCommand(program: Command, door: Door): void {
  const failures = program
    .command('failures [kind|kind/id]')
    .description('failed attempts and panics, the latest last')
    .option('--task <task>', 'only those of this task')
    .option('--class <class>', 'only those of this class, such as HttpError')
    .option('--code <code>', 'only those with this code')
    .option('--since <duration>', 'only those of the last so long, such as 1h')
    .option('--limit <n>', 'the latest so many', whole('--limit', 1, 10_000), 100)
  doing<Options>(failures, ([word], options) =>
    door.withApp(options, async (opened) => {
      const lines = await opened.query.failures(await wanted(opened, word, options))
      const values = lines.map(failureValue)
      door.show(options, values, () => shown(values, options.output === 'wide'))
    }),
  )
}

/** @throws RESOURCE_KIND_UNKNOWN, RESOURCE_UNKNOWN, TASK_UNKNOWN, ARGUMENT_INVALID */
async function wanted(
  { app, time }: Opened,
  word: string | undefined,
  { task, class: name, code, since, limit }: Options,
): Promise<FailuresWanted> {
  const one = word?.includes('/') ? resourceWord(word) : null
  if (word !== undefined && !one) app.registry.find(word)
  const held = one ? await app.getByName(one.kind, one.id) : null
  if (held && task !== undefined) app.registry.find(held.kind).runName(task)
  return {
    ...(held ? { resourceId: held.id } : word !== undefined && { kind: word }),
    ...(task !== undefined && { task }),
    ...(name !== undefined && { class: name }),
    ...(code !== undefined && { code }),
    ...(since !== undefined && { sinceAt: time.now() - toMs(since, '--since') }),
    limit,
  }
}

/** A failure as JSON. */
export const failureValue = ({ at, message, stack, ...failure }: FailureLine) => ({
  ...failure,
  message: masked(message),
  stack: stack === null ? null : masked(stack),
  at: moment(at),
})

function shown(values: readonly ReturnType<typeof failureValue>[], isWide: boolean): string {
  if (values.length === 0) return 'Nothing failed.\n'
  const head = ['at', 'resource', 'task', 'step', 'effect', 'attempt', 'class', 'message']
  const wideHead = ['code', 'severity', 'retryable', 'caused by', 'playbook', 'run']
  const rows = values.map((one) => {
    const where = [one.at, `${one.kind}/${one.resourceId}`, one.task, one.step]
    const row = [...where, one.effect, one.attempt, one.class, one.message]
    if (!isWide) return row
    const causes = one.causes.map(({ name, message }) => `${name}: ${message}`).join('; ')
    const more = [one.code, one.severity, one.isRetryable ? 'yes' : 'no', causes, one.playbook]
    return [...row, ...more, one.taskId]
  })
  return table(isWide ? [...head, ...wideHead] : head, rows)
}
