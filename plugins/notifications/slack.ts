// A webhook that understands what Slack does: Slack itself, Mattermost, Rocket.Chat and others.
// Promise: stored text cannot mention a channel, name a link or leave its line.
import * as z from 'zod'
import type { Severity } from '../../lib/notice.ts'
import type { Secret } from '../../lib/secret.ts'
import { PostChannel } from './http.ts'
import { type Message, type Target, targetOf, webAddress } from './target.ts'

export interface SlackOptions {
  /** The address of the incoming webhook; it is a secret by itself. */
  readonly url: string | Secret<string>
}

const schema = z.strictObject({ url: webAddress() })

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }
const quoted = (text: string) => text.replace(/[&<>]/g, (mark) => ENTITIES[mark]!)

const COLOURS: Readonly<Record<Severity | 'over', string>> = {
  critical: '#a30200',
  error: '#e01e5a',
  warning: '#daa038',
  info: '#439fe0',
  over: '#2eb886',
}

/** Each delivery as one message. */
export const slack: (options: SlackOptions) => Target = targetOf(
  { name: 'slack', quote: quoted },
  schema,
  (options, tools) => new SlackChannel(options, tools),
)

class SlackChannel extends PostChannel<z.output<typeof schema>> {
  async tell({ title, text, severity, isOver }: Message, signal: AbortSignal): Promise<void> {
    const color = COLOURS[isOver ? 'over' : severity]
    const body = JSON.stringify({ text: title, attachments: [{ color, fallback: title, text }] })
    await this.poster.post({ url: this.options.url, headers: {}, body, signal })
  }
}
