// A loader hook: a file that speaks ES modules is one, whatever the package.json above it says.
// Promise: asked only about the user's own .ts and .js files that would be read as CommonJS; without
// it an app file would need `"type": "module"`, and would be told so in words nobody understands.
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const OURS_TO_JUDGE = /^file:(?!.*\/node_modules\/).*\.(ts|tsx|js)(\?|$)/
const MODULE = /^\s*(import\s*[\w{*'"]|export\s*[\w{*])/m

export async function resolve(specifier, context, next) {
  const answer = await next(specifier, context)
  const asked = answer.format !== 'module' && OURS_TO_JUDGE.test(answer.url)
  if (!asked || !MODULE.test(await readFile(fileURLToPath(answer.url), 'utf8'))) return answer
  return { ...answer, format: 'module' }
}
