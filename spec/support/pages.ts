// Pages of documentation, as specs read them.
// Promise: a block of code is found where it stands and keeps its lines, so an error points into the page.

/** One fenced block of TypeScript. */
export interface Block {
  /** `docs-resources-2`: the page, and its number there. */
  readonly name: string
  readonly text: string
  readonly isRun: boolean
}

/** The TypeScript blocks of a page; a fence that says `ts no-run` is only compiled. */
export function blocksOf(path: string, text: string): Block[] {
  const found = [...text.matchAll(/^```ts( no-run)?\n([\s\S]*?)^```$/gm)]
  const page = path.replace(/\.md$/, '').replaceAll('/', '-')
  return found.map(([, noRun, code = ''], index) => ({
    name: `${page}-${index + 1}`,
    text: code,
    isRun: noRun === undefined,
  }))
}

/** A block whose `value // => expected` lines are assertions. */
export function runnable({ text }: Block): string {
  const lines = text.split('\n').map((line) => {
    const [, value, expected] = /^(?!\s*\/\/)\s*(.*?)\s*\/\/ => (.*)$/.exec(line) ?? []
    return value ? `__assert.deepStrictEqual(${value}, ${expected}, ${JSON.stringify(line)})` : line
  })
  return `import * as __assert from 'node:assert/strict'\n${lines.join('\n')}`
}

/** Where a page links to inside the repository. */
export const linksIn = (text: string): string[] =>
  [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link as string)
    .filter((link) => !/^[a-z]+:/.test(link))

/** The commands a page names: in code spans and shell blocks, options and arguments left out. */
export function commandsIn(text: string): string[][] {
  const spans = [...text.matchAll(/`(?:npx )?escapement ([^`\n]+)`/g)]
  const lines = [...text.matchAll(/^\s*(?:npx )?escapement (.+)$/gm)]
  return [...spans, ...lines].map(([, words = '']) => {
    const before = words.split(/\s+-|[|;&#]/)[0] ?? ''
    return before.split(/\s+/).filter((word) => /^[a-z][a-z-]*$/.test(word))
  })
}

/** The rows of the first table of a page, without its head. */
export function rowsOf(text: string): string[][] {
  const table = /^\|.*\n\|[ |-]+\n((?:\|.*\n)+)/m.exec(text)?.[1] ?? ''
  return table
    .trim()
    .split('\n')
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
}
