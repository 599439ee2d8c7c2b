// Notifications: whoever should know is told, by a webhook, Slack, e-mail, PagerDuty or the log.
// Promise: at least once, under one id for each delivery; nothing it does or meets keeps a tick waiting.
import type { Plugin } from '../models/index.ts'
import { type NotificationsOptions, settingsOf } from './notifications/options.ts'
import { tables } from './notifications/tables.ts'
import { Teller } from './notifications/teller.ts'

export {
  DELIVERY_STATUSES,
  Deliveries,
  type Delivery,
  type DeliveryStatus,
} from './notifications/deliveries.ts'
export { type EmailOptions, email } from './notifications/email.ts'
export { logChannel } from './notifications/log-channel.ts'
export type { NotificationsOptions, RouteOptions } from './notifications/options.ts'
export { type PagerDutyOptions, pagerduty } from './notifications/pagerduty.ts'
export type { GroupName, When } from './notifications/route.ts'
export { type SlackOptions, slack } from './notifications/slack.ts'
export type { Target } from './notifications/target.ts'
export { type WebhookOptions, webhook } from './notifications/webhook.ts'

/**
 * A plugin that tells people and systems of notices.
 * @throws NOTIFICATIONS_INVALID naming the route and the option
 */
export function notifications(options: NotificationsOptions): Plugin {
  const settings = settingsOf(options)
  return {
    name: 'notifications',
    migrations: [tables],
    duty: (premises, place) => (place === 'clock' ? new Teller(settings, premises).start() : null),
  }
}
