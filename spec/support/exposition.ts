// The text format of Prometheus, read back; strict, so that a line nobody understands is a failure.

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Exposition {
  /** Metric to type. */
  readonly types: ReadonlyMap<string, string>
  readonly samples: readonly Sample[]
  /** The value of the one series with these labels, among others perhaps; null where there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | null
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y

export function readExposition(text: string): Exposition {
  const types = new Map<string, string>()
  const samples: Sample[] = []
  for (const line of text.split('\n')) {
    const [, name, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? []
    if (name) types.set(name, type as string)
    else if (line !== '' && !line.startsWith('# HELP ')) samples.push(sampleOf(line))
  }
  const value: Exposition['value'] = (name, labels = {}) => {
    const wanted = Object.entries(labels)
    const found = samples.filter(
      (one) => one.name === name && wanted.every(([key, text]) => one.labels[key] === text),
    )
    if (found.length > 1) throw new Error(`${name} has ${found.length} series that match`)
    return found[0]?.value ?? null
  }
  return { types, samples, value }
}

function sampleOf(line: string): Sample {
  const [, name, inner = '', text] = LINE.exec(line) ?? []
  if (!name) throw new Error(`no line of Prometheus: ${line}`)
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  let end = 0
  for (let one = LABEL.exec(inner); one; one = LABEL.exec(inner)) {
    labels[one[1]!] = one[2]!
    end = LABEL.lastIndex
  }
  if (end !== inner.length) throw new Error(`no labels of Prometheus: ${line}`)
  return { name, labels, value: Number(text) }
}
