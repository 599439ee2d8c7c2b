// A restate-server for one run: its own log, its own ports, durable as it is by default.
// Promise: gone at the end of the run, by its process id, with everything it wrote.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../spec/support/services.ts'
import { until } from '../spec/support/wait.ts'
import type { RestateAddress } from './protocol.ts'

const START_MS = 60_000

export class RestateServer {
  readonly address: RestateAddress
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, address: RestateAddress) {
    this.#child = child
    this.address = address
    process.prependOnceListener('exit', this.#vanish)
  }

  readonly #vanish = () => this.#child.kill('SIGKILL')

  /** @param folder for its data @param variables of its environment */
  static async start(
    folder: string,
    variables: Readonly<Record<string, string>>,
  ): Promise<RestateServer> {
    const [ingress, admin, node] = [await freePort(), await freePort(), await freePort()]
    const at = (port: number) => `127.0.0.1:${port}`
    const child = spawn(binary(), ['--base-dir', join(folder, 'restate'), '--no-logo'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        RESTATE_LISTEN_MODE: 'tcp',
        RESTATE_BIND_IP: '127.0.0.1',
        RESTATE_BIND_PORT: `${node}`,
        RESTATE_INGRESS__BIND_PORT: `${ingress}`,
        RESTATE_ADMIN__BIND_PORT: `${admin}`,
        RESTATE_AUTO_PROVISION: 'true',
        RESTATE_LOG_FILTER: 'warn',
        RESTATE_DISABLE_TELEMETRY: 'true',
        DO_NOT_TRACK: '1',
        ...variables,
      },
    })
    const log = createWriteStream(join(folder, 'restate.log'))
    child.stdout!.pipe(log)
    child.stderr!.pipe(log)
    const address = { ingressUrl: `http://${at(ingress)}`, adminUrl: `http://${at(admin)}` }
    const server = new RestateServer(child, address)
    await until(() => answers(address), { what: 'restate-server answered', deadlineMs: START_MS })
    return server
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** It is thrown away, so it need not tidy up. */
  async stop(): Promise<void> {
    process.off('exit', this.#vanish)
    if (this.#child.exitCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'close')
  }
}

/** npm ships the server as a package for each platform. */
function binary(): string {
  const name = `@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`
  return fileURLToPath(new URL(`node_modules/${name}`, import.meta.url))
}

async function answers({ ingressUrl, adminUrl }: RestateAddress): Promise<boolean> {
  const healthy = await Promise.all([
    fetch(`${ingressUrl}/restate/health`),
    fetch(`${adminUrl}/health`),
  ])
  return healthy.every(({ ok }) => ok)
}
