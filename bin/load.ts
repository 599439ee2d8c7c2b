// Loading the user's app file.
// Promise: TypeScript or JavaScript, no build step; what is wrong with the file is said with its name,
// and nothing else of the house is opened before the app is known to be one.
import { readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { asError, fault } from '../lib/errors.ts'
import type { App, AppDefinition } from '../models/index.ts'

/** What an app file gives: its definition, and what `dev` fills an empty database with. */
export interface AppFile {
  readonly path: string
  readonly definition: AppDefinition
  readonly seed: ((app: App) => unknown) | null
}

/**
 * Loads an app file.
 * @param named by --app or ESCAPEMENT_APP; else the nearest package.json is asked
 * @param folder the current one
 * @param prepare is awaited before a file is imported
 * @throws APP_NOT_NAMED, APP_NOT_FOUND, APP_BROKEN, APP_NOT_EXPORTED
 */
export async function loadApp(
  named: string | null,
  folder: string,
  prepare: (file: { isTypeScript: boolean }) => Promise<void>,
): Promise<AppFile> {
  const path = named === null ? nearest(folder) : resolve(folder, named)
  if (path === null) throw fault('APP_NOT_NAMED')
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) throw fault('APP_NOT_FOUND', { path })
  await prepare({ isTypeScript: /\.[cm]?tsx?$/.test(path) })
  const exported = await imported(path, folder)
  const definition = definitionIn(exported)
  if (definition === null) throw fault('APP_NOT_EXPORTED', { path })
  const reason = whatIsWrong(definition)
  if (reason) throw fault('APP_BROKEN', { path, reason })
  const { seed = (exported.default as any)?.seed } = exported
  return { path, definition, seed: typeof seed === 'function' ? (seed as AppFile['seed']) : null }
}

/** The app named by `"escapement": { "app": … }` in the nearest package.json that has it. */
function nearest(folder: string): string | null {
  for (let at = folder; ; at = dirname(at)) {
    const named = namedIn(join(at, 'package.json'))
    if (named !== null) return isAbsolute(named) ? named : join(at, named)
    if (at === dirname(at)) return null
  }
}

function namedIn(path: string): string | null {
  try {
    const { escapement } = JSON.parse(readFileSync(path, 'utf8'))
    return typeof escapement?.app === 'string' ? escapement.app : null
  } catch {
    return null // none, or one that is not ours to judge
  }
}

async function imported(path: string, folder: string): Promise<Record<string, unknown>> {
  try {
    return await import(pathToFileURL(path).href)
  } catch (thrown) {
    const error = asError(thrown)
    const reason = [error.message, placeOf(error, folder)].filter(Boolean).join(', ')
    throw fault('APP_BROKEN', { path, reason: reason.replace(/\.$/, '') }, thrown)
  }
}

/** Where it happened: the first line of the stack that is in a file of the user. */
function placeOf(error: Error, folder: string): string {
  const found = /(?:file:\/\/|\(|^|at )(\/[^\s()]+?:\d+(?::\d+)?)\)?$/m.exec(error.stack ?? '')?.[1]
  if (!found || found.includes('/node_modules/') || error.message.includes(found)) return ''
  return `at ${relative(folder, found) || found}`
}

/** The default export; CommonJS wraps it once, TypeScript in CommonJS twice. */
function definitionIn(exported: Record<string, unknown>): AppDefinition | null {
  const once: any = exported.default
  for (const found of [once, once?.default]) {
    if (Array.isArray(found?.resources)) return found
  }
  return null
}

/** A class that came through a circular import is undefined; say so before anything trips over it. */
function whatIsWrong({ resources }: AppDefinition): string | null {
  const at = resources.findIndex(
    (shape: unknown) => typeof shape !== 'function' || !('fields' in shape && 'tasks' in shape),
  )
  return at < 0 ? null : `its resources[${at}] is not a class that extends Resource`
}
