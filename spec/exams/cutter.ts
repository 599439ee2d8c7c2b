// A wire to PostgreSQL that is cut exactly when a COMMIT passes.
// Promise: everything else goes through untouched; a cut is made once for each time it was asked for.
import { connect, createServer, type Socket } from 'node:net'

/** Where the wire is cut: before the server hears of the COMMIT, or when it has done it and says so. */
export type Cut = 'asked' | 'answered'

export interface Cutter {
  /** The database behind the cutter. */
  readonly url: string
  /** Cuts the next COMMIT that passes. */
  cutAt(cut: Cut): void
  /** How many were cut. */
  readonly cuts: number
  close(): Promise<void>
}

/** Listens on loopback in front of a server. */
export async function openCutter(url: string): Promise<Cutter> {
  const { hostname, port, pathname, username, password } = new URL(url)
  let armed: Cut | null = null
  let cuts = 0
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(Number(port || 5432), hostname)
    const ends = [client, upstream]
    const cut = () => {
      armed = null
      cuts += 1
      for (const end of ends) end.destroy()
    }
    for (const end of ends) {
      sockets.add(end)
      end.on('error', () => {})
      end.on('close', () => {
        for (const other of ends) other.destroy()
        sockets.delete(end)
      })
    }
    client.on('data', (bytes) => {
      if (armed === 'asked' && bytes.includes('COMMIT\0')) cut()
      else upstream.write(bytes)
    })
    upstream.on('data', (bytes) => {
      if (armed === 'answered' && bytes.includes('COMMIT\0')) cut()
      else client.write(bytes)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address() as { port: number }
  const who = password ? `${username}:${password}` : username
  return {
    url: `postgres://${who}@127.0.0.1:${address.port}${pathname}`,
    cutAt: (cut) => {
      armed = cut
    },
    get cuts() {
      return cuts
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
