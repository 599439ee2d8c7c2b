// A narrow grammar of Mermaid's state diagrams, and a reader that builds the tree of states it draws.
// Promise: what passes here passes Mermaid's own parser (compared with mermaid 12.3.0 on random charts and
// names; it is not a dependency, for it weighs 200 MB). What Mermaid also takes is refused here.

/** A diagram, read. */
export interface Diagram {
  /** Every state: its title, and the mark of the state it stands in. */
  readonly states: ReadonlyMap<string, { readonly title: string; readonly parent: string | null }>
  /** `from -> to : label`, ends as `[*]`. */
  readonly arrows: readonly string[]
  /** The lines of notes by the state they stand at. */
  readonly notes: ReadonlyMap<string, readonly string[]>
}

const TEXT = /^(?:[\p{L}\p{N} _.,()[\]/*+=!?…]|#\d+;|(?<=[\p{L}\p{N}])-(?=[\p{L}\p{N}]))*$/u
const STATE = /^state "([^"]*)" as (s\d+)( \{)?$/
const ARROW = /^(\[\*\]|s\d+) --> (\[\*\]|s\d+)(?: : (\S.*))?$/
const NOTE = /^note right of (s\d+)$/

/** @throws a sentence with the line that is not of the grammar */
export function readMermaid(text: string): Diagram {
  const [head, ...lines] = text.split('\n').map((line) => line.trim())
  if (head !== 'stateDiagram-v2' || lines.pop() !== '') throw new Error('it has no head or no end')
  const reader = new Reader()
  for (const line of lines) reader.read(line)
  return reader.end()
}

class Reader {
  readonly #states = new Map<string, { title: string; parent: string | null }>()
  readonly #arrows: string[] = []
  readonly #notes = new Map<string, string[]>()
  readonly #open: string[] = []
  #note: string[] | null = null

  read(line: string): void {
    if (this.#note) this.#readNote(this.#note, line)
    else if (!this.#readState(line) && !this.#readArrow(line)) this.#readMark(line)
  }

  end(): Diagram {
    if (this.#open.length > 0 || this.#note) throw new Error('a block has no end')
    for (const mark of this.#arrows.flatMap((arrow) => arrow.match(/s\d+(?= ->|$| :)/g) ?? [])) {
      if (!this.#states.has(mark)) throw new Error(`an arrow names ${mark}, which is no state`)
    }
    return { states: this.#states, arrows: this.#arrows, notes: this.#notes }
  }

  #readNote(note: string[], line: string): void {
    if (line === 'end note') this.#note = null
    else if (line.includes('end note')) throw new Error(`a note ends within "${line}"`)
    else note.push(plain(line))
  }

  #readState(line: string): boolean {
    const [, title, mark, opens] = STATE.exec(line) ?? []
    if (title === undefined || mark === undefined) return false
    if (this.#states.has(mark)) throw new Error(`${mark} is declared twice`)
    this.#states.set(mark, { title: plain(title), parent: this.#open.at(-1) ?? null })
    if (opens) this.#open.push(mark)
    return true
  }

  #readArrow(line: string): boolean {
    const [, from, to, label] = ARROW.exec(line) ?? []
    if (!from || !to || (from === '[*]' && to === '[*]')) return false
    // Mermaid would move a state into the block where an arrow names it.
    if (this.#open.length > 0 && from !== '[*]' && to !== '[*]')
      throw new Error(`"${line}" stands in a block`)
    this.#arrows.push(`${from} -> ${to}${label === undefined ? '' : ` : ${plain(label)}`}`)
    return true
  }

  #readMark(line: string): void {
    const [, at] = NOTE.exec(line) ?? []
    if (at && this.#states.has(at) && this.#open.length === 0) {
      this.#note = []
      this.#notes.set(at, this.#note)
    } else if (line === '}' && this.#open.length > 0) this.#open.pop()
    else if (line !== '--' || this.#open.length === 0) throw new Error(`"${line}" is no line`)
  }
}

/** A text with its codes opened. */
function plain(text: string): string {
  if (!TEXT.test(text)) throw new Error(`"${text}" has marks that may mean something`)
  return text.replace(/#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
}
