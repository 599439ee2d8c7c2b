// A small server of pages that are made when they are asked for. The only fastify door.
// Promise: it answers GET on these paths and nothing else; what goes wrong inside is not told outside; closing
// waits for nobody who keeps a connection open.
import type { AddressInfo } from 'node:net'

export interface Page {
  readonly type: string
  readonly text: string
}

export interface Server {
  /** The port it got, where any would do. */
  readonly port: number
  close(): Promise<void>
}

const REQUEST_MS = 10_000
const MOST_BODY = 1_024

/** @throws what the system says when the address cannot be had */
export async function serve(
  at: { readonly host: string; readonly port: number },
  pages: Readonly<Record<string, () => Promise<Page>>>,
): Promise<Server> {
  // Loaded when it is wanted: every command of the CLI would wait for it.
  const { fastify } = await import('fastify')
  const server = fastify({
    forceCloseConnections: true,
    requestTimeout: REQUEST_MS,
    connectionTimeout: REQUEST_MS,
    bodyLimit: MOST_BODY,
  })
  server.setNotFoundHandler((_, reply) =>
    reply
      .code(404)
      .type('text/plain')
      .send(`There is: ${Object.keys(pages).join(', ')}\n`),
  )
  server.setErrorHandler((_, __, reply) =>
    reply.code(500).type('text/plain').send('This page could not be made.\n'),
  )
  for (const [path, make] of Object.entries(pages)) {
    server.get(path, async (_, reply) => {
      const { type, text } = await make()
      return reply.type(type).header('cache-control', 'no-store').send(text)
    })
  }
  try {
    await server.listen(at)
  } catch (thrown) {
    await server.close()
    throw thrown
  }
  const [address] = server.addresses() as AddressInfo[]
  return { port: address?.port ?? at.port, close: () => server.close() }
}
