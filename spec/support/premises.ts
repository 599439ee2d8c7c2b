// The premises of an app, for a spec that begins the duty of a plugin by itself.

import type { Time } from '../../lib/time.ts'
import type { App } from '../../models/app.ts'
import { Notices } from '../../models/notices.ts'
import type { Premises } from '../../models/plugin.ts'

export function premisesOf(
  { events, registry, rooms: { config, database, queue, queues } }: App,
  time: Time,
): Premises {
  return {
    events,
    time,
    config,
    database,
    queue,
    queues,
    notices: new Notices({ database, time }),
    registry,
  }
}
