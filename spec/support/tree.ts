// The files of the house, as the rules read them.
// Promise: what a fresh clone would hold and no more; build output and installed packages are not ours.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** One text file: its path from the root, with forward slashes, and what it says. */
export interface Source {
  readonly path: string
  readonly text: string
}

const NOT_OURS = new Set(['node_modules', 'dist', '.git', '.escapement'])
const NOT_OURS_ENDINGS = /\.(tgz|log)$/
const BINARY = /\.(png|jpe?g|gif|ico|woff2?|wasm|gz)$/

/** Paths of every file beneath a folder. */
export function listFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !NOT_OURS.has(name) && !NOT_OURS_ENDINGS.test(name))
    .flatMap((entry) => {
      const path = folder === '.' ? entry.name : join(folder, entry.name)
      return entry.isDirectory() ? listFiles(path) : [path]
    })
}

/** Every text file of the repository. */
export function readTree(root = '.'): Source[] {
  return listFiles(root)
    .filter((path) => !BINARY.test(path))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }))
}

/** The first folder of a path: the floor it stands on. */
export const floorOf = (path: string): string => path.split('/')[0] ?? ''

/** Is this TypeScript we wrote? */
export const isCode = ({ path }: Source): boolean => /\.tsx?$/.test(path)

/** Lines as an editor counts them. */
export const linesOf = (text: string): number => text.replace(/\n$/, '').split('\n').length

/** Each folder that holds something, with the names in it (its sub-folders end with a slash). */
export function foldersOf(paths: readonly string[]): Map<string, Set<string>> {
  const folders = new Map<string, Set<string>>()
  const put = (folder: string, name: string) =>
    folders.set(folder, (folders.get(folder) ?? new Set()).add(name))
  for (const path of paths) {
    put(dirname(path), path.slice(path.lastIndexOf('/') + 1))
    for (let folder = dirname(path); folder.includes('/'); folder = dirname(folder)) {
      put(dirname(folder), `${folder.slice(folder.lastIndexOf('/') + 1)}/`)
    }
  }
  return folders
}
