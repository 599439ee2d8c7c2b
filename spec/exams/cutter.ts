// A wire to PostgreSQL that is cut exactly when a COMMIT, or a statement that is one, passes.
// Promise: everything else goes through untouched; a cut is made once for each time it was asked for.
import { connect, createServer, type Socket } from 'node:net'

/** Where the wire is cut: before the server hears of the COMMIT, or when it has done it and says so. */
export type Cut = 'asked' | 'answered'

/** How a commit is known on the wire: by these bytes when it is asked for, and by those when it is answered. */
export type Marks = Readonly<Record<Cut, string>>
const COMMIT: Marks = { asked: 'COMMIT\0', answered: 'COMMIT\0' }
/** The statement of the express: by a unit it carries, and by what PostgreSQL says at its end. */
export const expressOf = (unitId: string): Marks => ({ asked: unitId, answered: 'SELECT ' })

export interface Cutter {
  /** The database behind the cutter. */
  readonly url: string
  /** Cuts the next commit that passes; a COMMIT unless told. */
  cutAt(cut: Cut, marks?: Marks): void
  /** Cuts all that is connected now. */
  cutNow(): void
  /** How many were cut. */
  readonly cuts: number
  close(): Promise<void>
}

/** Listens on loopback in front of a server. */
export async function openCutter(url: string): Promise<Cutter> {
  const { hostname, port, pathname, username, password } = new URL(url)
  let armed: { readonly cut: Cut; readonly marks: Marks } | null = null
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
      if (armed?.cut === 'asked' && bytes.includes(armed.marks.asked)) cut()
      else upstream.write(bytes)
    })
    upstream.on('data', (bytes) => {
      if (armed?.cut === 'answered' && bytes.includes(armed.marks.answered)) cut()
      else client.write(bytes)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address() as { port: number }
  const who = password ? `${username}:${password}` : username
  return {
    url: `postgres://${who}@127.0.0.1:${address.port}${pathname}`,
    cutAt: (cut, marks = COMMIT) => {
      armed = { cut, marks }
    },
    cutNow: () => {
      for (const socket of sockets) socket.destroy()
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
