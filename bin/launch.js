// The launcher: finds the command line, in a checkout or in an installed package, and runs it.
// Promise: no build step. A checkout runs its own TypeScript; an app file in TypeScript runs anywhere.
// Everything that imports 'escapement' gets the one copy that runs the commands.
import { existsSync } from 'node:fs'
import { register as registerHook } from 'node:module'
import { fileURLToPath } from 'node:url'

const home = new URL('../', import.meta.url)
const source = new URL('main.ts', import.meta.url)
const built = new URL('dist/bin/main.js', home)
const isCheckout = existsSync(source)

/** Teaches this process to import TypeScript; a checkout also resolves 'escapement' to itself. */
async function readTypeScript() {
  const { register } = await import('tsx/esm/api')
  register(isCheckout ? { tsconfig: fileURLToPath(new URL('tsconfig.json', home)) } : {})
}

/** Makes this process fit to import an app file. */
async function prepare({ isTypeScript }) {
  if (isTypeScript && !isCheckout) await readTypeScript()
  registerHook('./dialect.js', import.meta.url)
}

/**
 * Runs the command line and ends the process.
 * @param {...string} words put before the arguments of the process
 */
export async function launch(...words) {
  if (isCheckout) await readTypeScript()
  const { main } = await import((isCheckout ? source : built).href)
  process.exit(await main([...words, ...process.argv.slice(2)], { home, prepare }))
}
