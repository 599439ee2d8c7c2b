// What a text of SQL means for a session that is shared: settings, channels, ends of transactions.
// Promise: looks only where the server has already said what kind of statement ran; text inside
// quotes and comments is never taken for a statement.

/** Strings, quoted names, dollar quotes and comments are one piece each; so is a semicolon. */
const PIECE =
  /--[^\n]*|\/\*[\s\S]*?\*\/|'[^']*'|"[^"]*"|\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$|;|[^-/'"$;]+|[\s\S]/g

/** The statements of a text, comments taken out. */
export function statementsIn(sql: string): string[] {
  const statements = ['']
  for (const [piece] of sql.matchAll(PIECE)) {
    if (piece === ';') statements.push('')
    else statements[statements.length - 1] += /^(--|\/\*)/.test(piece) ? ' ' : piece
  }
  return statements.map((statement) => statement.trim()).filter(Boolean)
}

/** PostgreSQL cuts names here. */
const NAME_END = 63
const LISTEN = /^(LISTEN|UNLISTEN)\s+(?:(\*)|"((?:[^"]|"")+)"|([^\s"]+))$/i

/** Follows the LISTEN and UNLISTEN of a text in a set of channels. */
export function followChannels(channels: Set<string>, sql: string): void {
  for (const statement of statementsIn(sql)) {
    const [, verb, all, quoted, plain] = LISTEN.exec(statement) ?? []
    if (!verb) continue
    const channel = (quoted?.replaceAll('""', '"') ?? plain?.toLowerCase() ?? '').slice(0, NAME_END)
    if (all) channels.clear()
    else if (verb.toUpperCase() === 'LISTEN') channels.add(channel)
    else channels.delete(channel)
  }
}

/** Does a text that sets something set it for longer than its transaction? */
export const setsForLong = (sql: string): boolean =>
  sql === '' ||
  statementsIn(sql).some((statement) =>
    /^(SET(?!\s+(LOCAL|TRANSACTION|CONSTRAINTS)\b)|RESET|DISCARD)\b/i.test(statement),
  )

const CONFIGURES = /\bset_config\s*\(([^)]*)/gi

/** Does a text call `set_config` for longer than its transaction? Rather too often than too seldom. */
export const configuresForLong = (sql: string): boolean =>
  [...sql.matchAll(CONFIGURES)].some(([, words]) => !/,\s*true\s*$/i.test(words!))

/** Settings of nobody but who names them (`escapement.joined`), as a text sets them: the server lists them nowhere. */
export const ownSettingsIn = (sql: string): string[] =>
  [
    ...sql.matchAll(
      /\b(?:set_config\s*\(\s*'|SET\s+(?:SESSION\s+)?"?)([a-z_]\w*(?:\.[a-z_]\w*)+)/gi,
    ),
  ].map(([, name]) => name!.toLowerCase())

/** How a text would end a transaction, if it does. */
export function endingOf(sql: string): 'commit' | 'rollback' | null {
  const [first = ''] = statementsIn(sql)
  if (/^(COMMIT|END)\b(?!\s+PREPARED)/i.test(first)) return 'commit'
  return /^(ROLLBACK|ABORT)\b(?!.*\b(TO|PREPARED)\b)/i.test(first) ? 'rollback' : null
}

/** May a text wait for data of the client? Rather too often than too seldom. */
export const mayCopyIn = (sql: string): boolean => /\bCOPY\b[\s\S]*\bSTDIN\b/i.test(sql)

/** Start-up options (`-c name=value --other-name=value`) as settings. A backslash quotes a space. */
export function settingsIn(options: string): Map<string, string> {
  const settings = new Map<string, string>()
  const words = (options.match(/(?:\\[\s\S]|[^\s\\])+/g) ?? []).map((word) =>
    word.replace(/\\([\s\S])/g, '$1'),
  )
  for (let i = 0; i < words.length; i++) {
    const word = words[i] === '-c' ? `-c${words[++i] ?? ''}` : words[i]!
    const [, long, name, value] = /^(--|-c)([^=]+)=([\s\S]*)$/.exec(word) ?? []
    if (name) settings.set(long === '--' ? name.replaceAll('-', '_') : name, value!)
  }
  return settings
}

export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`
export const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`
