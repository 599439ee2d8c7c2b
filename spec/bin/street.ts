// The street of a command that runs inside this process: words in, words out, and nobody at a terminal.
// Promise: what bin/street.ts gives to a child process with three pipes, but for signals and crashes: nothing halts it.
import { userInfo } from 'node:os'
import type { Street } from '../../bin/street.ts'

interface Around {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly input: string
  /** Where all that is said goes. */
  readonly said: { out: string; err: string }
}

export function street({ env, input, said }: Around): Street {
  const { PATH, TMPDIR, HOME } = process.env
  const outlet = (to: 'out' | 'err') => ({
    isTTY: false,
    write: (text: string) => {
      said[to] += text
    },
  })
  const parts = {
    env: { PATH, TMPDIR, HOME, ...env },
    ...{ folder: process.cwd(), nodeVersion: process.versions.node, user: userInfo().username },
    isService: false,
    ...{ out: outlet('out'), err: outlet('err'), input: { isTTY: false } },
    ...{ halted: new Promise(() => {}), stopped: new AbortController().signal },
    read: async () => Buffer.from(input),
  }
  return parts as unknown as Street
}
