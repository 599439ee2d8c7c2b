// PagerDuty, by its Events API v2.
// Promise: one incident for each alarm, however often it is told: its key is the alarm's key, its end the alarm's close.
import * as z from 'zod'
import type { Notice } from '../../lib/notice.ts'
import { Secret } from '../../lib/secret.ts'
import { PostChannel } from './http.ts'
import { CLOSED } from './tables.ts'
import { type Message, secretText, type Target, targetOf, webAddress } from './target.ts'

export interface PagerDutyOptions {
  /** The integration key of the service. */
  readonly routingKey: string | Secret<string>
  /** Default https://events.pagerduty.com/v2/enqueue. */
  readonly url?: string | Secret<string>
}

const ENQUEUE = 'https://events.pagerduty.com/v2/enqueue'
const MOST = { summary: 1_024, key: 255 }

const schema = z.strictObject({
  routingKey: secretText(),
  url: webAddress().default(new Secret(ENQUEUE)),
})

/** Each alarm as one incident: triggered, triggered again, resolved. */
export const pagerduty: (options: PagerDutyOptions) => Target = targetOf(
  { name: 'pagerduty', isSingle: true },
  schema,
  (options, tools) => new PagerDutyChannel(options, tools),
)

class PagerDutyChannel extends PostChannel<z.output<typeof schema>> {
  /** What was opened and closed within one window is told as both, in their order. */
  async tell(message: Message, signal: AbortSignal): Promise<void> {
    const { routingKey, url } = this.options
    for (const notice of message.last) {
      const event = { routing_key: routingKey.reveal(), ...eventOf(notice, message) }
      await this.poster.post({ url, headers: {}, body: JSON.stringify(event), signal })
    }
  }
}

function eventOf(notice: Notice, { title }: Message): object {
  const { id, type, severity, kind, resourceId, task, message, labels, at, payload } = notice
  const { alarm } = (payload ?? {}) as { alarm?: Record<string, unknown> }
  const dedupKey = String(alarm?.key ?? id).slice(0, MOST.key)
  if (type === CLOSED) return { event_action: 'resolve', dedup_key: dedupKey }
  const { state, playbook, count, owner, note } = alarm ?? {}
  return {
    event_action: 'trigger',
    dedup_key: dedupKey,
    client: 'escapement',
    payload: {
      summary: title.slice(0, MOST.summary),
      source: resourceId ? `${kind}/${resourceId}` : 'escapement',
      severity,
      timestamp: new Date(at).toISOString(),
      ...(kind && { component: kind }),
      ...(task && { group: task }),
      class: String(alarm?.name ?? type),
      custom_details: { type, message, labels, state, playbook, count, owner, note },
    },
  }
}
