// Who is told of a panic before its alarm opens.
// Promise: told in the commit that parks the task; a task nobody handles loses no time.
import { rootOf } from '../lib/address.ts'
import type { Change } from './change.ts'
import { CLIMBER } from './climber.ts'
import type { PanicTold } from './panic.ts'
import type { Round } from './round.ts'
import type { Naming } from './telling.ts'
import { parkedAlarm } from './vigil.ts'

/** The change that parks a task, with word for whoever handles its panic. */
export async function withHandler(
  round: Round,
  { resourceId, taskId, task }: Omit<Naming, 'step'>,
  parked: Change,
): Promise<Change> {
  const { step, failures } = parked
  const failure = failures?.at(-1)
  // The handler of panics has none itself; a child that failed has its parent.
  if (!step?.transition || !failure || step.status === 'failed' || rootOf(task) === CLIMBER)
    return parked
  const handler = await round.climber()
  const [alarm] = parkedAlarm(round.kind, parked, false)
  if (!handler || alarm?.event.type !== 'RAISE') return parked
  const { class: name, code, message, playbook } = failure
  const panic: PanicTold = {
    ...{ kind: round.kind.name, resourceId, task, taskId, playbook },
    step: step.step,
    state: step.transition.from,
    error: { class: name, code, message },
    alarm: { key: alarm.key, about: alarm.event.about },
  }
  const { outbox } = round.open()
  outbox.tell(handler, panic)
  const { starts, sends } = outbox.parts
  return {
    ...parked,
    starts: [...(parked.starts ?? []), ...starts],
    sends: [...(parked.sends ?? []), ...sends],
    isHandled: true,
  }
}
