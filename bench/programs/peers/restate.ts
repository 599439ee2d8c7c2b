// Restate: a handler of ten `ctx.run`, each journaled by its server before the next one begins.
// Tuned: the handlers are served over HTTP/2 by the SDK's own endpoint; logging is off. `default` is the server as it
// comes, `p4` has four partitions instead of 24, because its documents advise few for one small machine. The server
// may have a thousand invocations open; how many go on at once is bounded in the handler, as for all others.
// An invocation is sent before "go" and held at the door of its handler, because a server without a handler would
// only begin to retry.
import { createServer, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import * as restate from '@restatedev/restate-sdk'
import * as clients from '@restatedev/restate-sdk-clients'
import { Course } from '../course.ts'
import { Gate } from '../gate.ts'
import { inLanes, type Program, serve } from '../program.ts'

const FILLERS = 50

/** Silent unless something is wrong. */
const complain = ({ level }: { level: string }, ...words: unknown[]) => {
  if (level === 'error') console.error(...words)
}

serve((ground): Program => {
  const { instances, concurrency, steps } = ground
  const { ingressUrl, adminUrl } = ground.restate!
  const gate = new Gate(concurrency)
  const course = new Course(instances)
  const walker = restate.service({
    name: 'walker',
    handlers: {
      chain: async (ctx: restate.Context, instance: number) => {
        await gate.enter()
        try {
          for (let index = 0; index < steps; index += 1) {
            await ctx.run(`s${index}`, () => {})
            course.passed(instance)
          }
          course.arrived()
        } finally {
          gate.leave()
        }
      },
      once: async (ctx: restate.Context) => {
        await ctx.run('s0', () => {})
      },
    },
  })
  const ingress = clients.connect({ url: ingressUrl })
  let server: Http2Server

  const serveHandlers = async () => {
    const handler = restate.createEndpointHandler({ services: [walker], logger: complain } as never)
    server = createServer(handler as never)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const answer = await fetch(`${adminUrl}/deployments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ uri: `http://127.0.0.1:${port}` }),
    })
    if (!answer.ok) throw new Error(`the deployment was refused: ${await answer.text()}`)
  }
  return {
    async stand() {
      await serveHandlers()
      const sender = ingress.serviceSendClient(walker)
      // W2 sends its own.
      if (steps > 1) await inLanes(instances, FILLERS, (instance) => sender.chain(instance))
    },

    async work() {
      gate.open()
      await course.done
      return course.figures
    },

    async idle() {},

    async probe() {
      await ingress.serviceClient(walker).once()
    },

    async close() {
      server.close()
    },
  }
})
