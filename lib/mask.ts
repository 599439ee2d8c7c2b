// Masking: a text without the secrets in it.
// Promise: whatever this process has held as a Secret is not readable afterwards, nor in base64, hex, URLs or JSON; nor
// is what looks like a login, a token or a private key. A text without any is answered as it is.
import { findKnown, type Span } from './known.ts'

/** What stands in the place of a secret. */
export const MASK = '[secret]'

/** Behind what is kept, this much is looked at, so that a secret at the cut is not half shown. */
const MARGIN = 4_096

/**
 * The text with its secrets masked.
 * @param most cuts it, without cutting a secret in two
 */
export function masked(text: string, most = Number.POSITIVE_INFINITY): string {
  const isCut = text.length > most + MARGIN
  const seen = isCut ? text.slice(0, most + MARGIN) : text
  const safe = SHAPES.reduce((told, shape) => shape(told), without(seen, findKnown(seen, isCut)))
  return safe.length > most ? safe.slice(0, most) : safe
}

/** Plain data, with the secrets in its texts masked, and whatever stands under a name such as `password`. */
export function maskedJson<T>(value: T): T {
  return inside(value, 0) as T
}

/** What is nested deeper is not shown. */
const MOST_LEVELS = 64

function inside(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return masked(value)
  if (typeof value === 'number') return masked(String(value)) === String(value) ? value : MASK
  if (typeof value !== 'object' || value === null) return value
  if (depth === MOST_LEVELS) return '[deeper]'
  if (Array.isArray(value)) return value.map((one) => inside(one, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      masked(name),
      isTelling(one) && isSecretName(name) ? MASK : inside(one, depth + 1),
    ]),
  )
}

/** Whether there is one may be said. */
const isTelling = (value: unknown) =>
  value !== null && value !== undefined && value !== '' && typeof value !== 'boolean'

/** Masks parts of a text; those that touch one another are one. */
function without(text: string, spans: readonly Span[]): string {
  let safe = ''
  let at = 0
  let isOpen = false
  for (const [from, to] of [...spans].sort(([a], [b]) => a - b)) {
    if (!isOpen || from > at) safe += text.slice(at, from) + MASK
    isOpen = true
    at = Math.max(at, to)
  }
  return safe + text.slice(at)
}

/** Names under which secrets are kept, at the end of longer ones too: `DB_PASSWORD`, `accessToken`. */
const NAMES = [
  'pass(?:word|wd|phrase|code)|\\bpass|pwd|\\bsig|secret|token|credentials?|authorization|cookies?|signature',
  '(?:api|access|private|secret|auth|signing|encryption|account)[-_ ]?key|session[-_]?id',
].join('|')
const SECRET_NAME = new RegExp(`(?:${NAMES})\\d*$`, 'i')
/** Is what stands under this name a secret, by its name? */
export const isSecretName = (name: string) => SECRET_NAME.test(name)

/** A name, the quote that may end it, and what stands between it and its value. */
const KEY = String.raw`((?:${NAMES})\d*\\*["']?\s*(?::|=>?)\s*)`
/** Up to the quote it began with; a quote behind a backslash belongs to the value. */
const QUOTED = new RegExp(String.raw`${KEY}(["'])(?:(?!\2)(?:\\.|[^\\])){1,4096}\2?`, 'gis')
/** JSON within JSON: the quotes themselves are behind backslashes. */
const ESCAPED = new RegExp(
  String.raw`${KEY}(\\+["'])(?:(?!(?<!\\)\2)(?:\\.|[^\\])){1,4096}(?:\2)?`,
  'gis',
)
const ASSIGNED = new RegExp(String.raw`((?:${NAMES})\d*=)[^\s&;"'<>\\,)]+`, 'gi')
/** After a colon prose may follow: what has a figure in it is taken for a secret. */
const TOLD = new RegExp(
  String.raw`((?:${NAMES})\d*\\*["']?:\s*)(?=[^\s&;"'<>,)]*\d)[^\s&;"'<>\\,)\]}]{6,}`,
  'gi',
)

type Shape = (text: string) => string
const replace =
  (pattern: RegExp, by: string): Shape =>
  (text) =>
    text.replace(pattern, by)

/** Keys that are known by how they begin: GitHub, GitLab, Stripe, OpenAI, Slack, AWS, Google, npm, PyPI and others. */
const TOKENS = [
  'gh[opusr]_[A-Za-z0-9]{20,}|github_pat_\\w{20,}|gl(?:pat|ptt|rt)-[\\w-]{16,}',
  '(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,}|whsec_[\\w+/=]{16,}|sk-[\\w-]{20,}',
  'xox[abeoprs]-[\\w-]{8,}|xapp-[\\w-]{8,}|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])',
  'AIza[\\w-]{35}|ya29\\.[\\w-]{16,}|npm_[A-Za-z0-9]{30,}|pypi-[\\w-]{16,}|hf_[A-Za-z0-9]{20,}',
  'dop_v1_[a-f0-9]{32,}|SG\\.[\\w-]{16,}\\.[\\w-]{16,}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{16,}|hvs\\.[\\w-]{20,}',
  'AGE-SECRET-KEY-1[A-Z0-9]{20,}',
].join('|')

/** What secrets look like, each within a bounded part of the text, so that no text takes long. */
const SHAPES: readonly Shape[] = [
  replace(
    /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,20}-----(?:(?!-----)[\s\S])*(?:-----END [A-Z0-9 ]{0,60}-----)?/g,
    MASK,
  ),
  // A name and a password in an address; one that was not escaped as it should be, too.
  replace(/(\w:\/\/)[^\s/?#'"<>]{1,1000}@/g, `$1${MASK}@`),
  replace(/(\w:\/\/)[^\s/:@'"<>]{0,200}:(?!\d{1,5}\b)[^\s'"<>]{1,1000}@/g, `$1${MASK}@`),
  replace(/(hooks\.slack\.com\/(?:services|workflows|triggers)\/)[\w/-]+/g, `$1${MASK}`),
  replace(/\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*){0,3}/g, MASK),
  replace(new RegExp(`(?<![A-Za-z0-9])(?:${TOKENS})`, 'g'), MASK),
  replace(
    /(authorization\\*["']?\s*[:=]\s*\\*["']?(?:bearer|basic|digest|token|negotiate|ntlm|hawk|signature|apikey|aws4-hmac-sha256)\s+)[^\r\n"'\\}]+/gi,
    `$1${MASK}`,
  ),
  replace(
    /\b(bearer|basic)(\s+)(?=[\w.~+/=-]*[\d_~+/=]|[\w.~+/=-]{24})[\w.~+/=-]{6,}/gi,
    `$1$2${MASK}`,
  ),
  replace(/(cookie\\*["']?\s*:\s*\\*["'[ ]{0,3})[\w.-]+=[^\r\n"'\\]*/gi, `$1${MASK}`),
  replace(QUOTED, `$1$2${MASK}$2`),
  replace(ESCAPED, `$1$2${MASK}$2`),
  replace(ASSIGNED, `$1${MASK}`),
  replace(TOLD, `$1${MASK}`),
]
