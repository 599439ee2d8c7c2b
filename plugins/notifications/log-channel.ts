// The log as a channel: a delivery is an event, which the log plugin writes.
import * as z from 'zod'
import { type Target, targetOf } from './target.ts'

const schema = z.undefined()

const make = targetOf({ name: 'log' }, schema, (_options, { events, route }) => ({
  tell: async ({ id, severity, count, text }) => {
    events.emit('notice.logged', { deliveryId: id, route, severity, notices: count, message: text })
  },
  close: async () => {},
}))

/** Each delivery as an event `notice.logged`. */
export const logChannel = (): Target => make(undefined)
