// The migrations of the house, in order.
import type { Migration } from '../../lib/database.ts'
import { house } from './0001_house.ts'
import { alarms } from './0002_alarms.ts'
import { bounds } from './0003_bounds.ts'
import { locks } from './0004_locks.ts'
import { queues } from './0005_queues.ts'
import { history } from './0006_history.ts'

export const migrations: readonly Migration[] = [house, alarms, bounds, locks, queues, history]
