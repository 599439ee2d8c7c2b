// One door per vendor, one door per side effect.
// Promise: reads the syntax tree, so a comment or a string never counts as a deed.
import ts from 'typescript'
import {
  at,
  CODE,
  eachFile,
  HOUSE,
  imports,
  isBare,
  isDeclaredName,
  isMember,
  isNamed,
  nodesOf,
  packageOf,
  type Rule,
} from './syntax.ts'

/** Who may import which package. */
const VENDOR_DOORS: Readonly<Record<string, RegExp>> = {
  bullmq: /^lib\/queue[\w-]*(\/[\w-]+)?\.ts$/,
  ioredis: /^lib\/redis\.ts$/,
  knex: /^lib\/database\.ts$/,
  pg: /^lib\/pool\.ts$/,
  xstate:
    /^(lib\/machine[\w-]*|lib\/effect|models\/steps|models\/life|models\/repeater|models\/climber|models\/alarm-machine)\.ts$/,
  '@electric-sql/pglite': /^lib\/embedded\.ts$/,
  fastify: /^plugins\/metrics\/server\.ts$/,
  'prom-client': /^plugins\/metrics\/meter\.ts$/,
  pino: /^plugins\/log\.ts$/,
  undici: /^plugins\/notifications\/http\.ts$/,
  'ipaddr.js': /^plugins\/notifications\/guard\.ts$/,
  standardwebhooks: /^plugins\/notifications\/webhook\.ts$/,
  nodemailer: /^plugins\/notifications\/email\.ts$/,
  mustache: /^plugins\/notifications\/template\.ts$/,
}

/** One door per vendor; types included. */
export const vendorDoors: Rule = eachFile(HOUSE, (file, path) =>
  imports(file).flatMap(({ specifier, node }) => {
    const vendor = packageOf(specifier)
    const door = Object.hasOwn(VENDOR_DOORS, vendor) ? VENDOR_DOORS[vendor] : undefined
    return !door || door.test(path)
      ? []
      : [at(file, node, `imports ${vendor}, whose door is elsewhere`)]
  }),
)

/** A deed that only one door may do: where, and how it is recognised in the syntax tree. */
interface SideEffect {
  readonly what: string
  readonly floors: readonly string[]
  readonly door: RegExp
  readonly modules?: RegExp
  deed(node: ts.Node): boolean
}

const TIMERS = new Set(['setTimeout', 'setInterval', 'setImmediate'])
/** The few files of the harness that wait for real. */
export const SPEC_TIMERS =
  /^spec\/(run|support\/(wait|time|suite|services|child|group|players?|fixtures\/(lasting|late)\.fixture))\.ts$/
const PROCESS_DEEDS = /^(env|argv|execArgv|stdin|stdout|stderr|exit|exitCode|hrtime)$/
const KEY_MAKERS = new Set(['randomBytes', 'randomUUID', 'randomInt', 'randomFillSync'])

const SIDE_EFFECTS: readonly SideEffect[] = [
  {
    what: 'reads the clock or sets a timer outside lib/time.ts',
    floors: [...HOUSE, 'spec'],
    door: new RegExp(`^lib/time\\.ts$|${SPEC_TIMERS.source}`),
    modules: /^(node:)?(timers|timers\/promises|perf_hooks)$/,
    deed: (node) =>
      isMember(node, 'Date', /^now$/) ||
      isMember(node, 'performance', /^(now|timeOrigin)$/) ||
      isMember(node, 'AbortSignal', /^timeout$/) ||
      isMember(node, 'Atomics', /^wait(Async)?$/) ||
      (ts.isNewExpression(node) && isNamed(node.expression, 'Date') && !node.arguments?.length) ||
      (ts.isCallExpression(node) && isNamed(node.expression, 'Date')) ||
      (ts.isIdentifier(node) && TIMERS.has(node.text) && !isDeclaredName(node)),
  },
  {
    what: 'touches the environment, arguments, console or exit of the process outside bin',
    floors: ['lib', 'models', 'plugins'],
    door: /^bin\//,
    modules: /^(node:)?(process|console)$/,
    deed: (node) =>
      isMember(node, 'process', PROCESS_DEEDS) ||
      isMember(node, 'globalThis', /^(process|console)$/) ||
      (ts.isIdentifier(node) && node.text === 'process' && isBare(node)) ||
      (ts.isIdentifier(node) && node.text === 'console' && !isDeclaredName(node)),
  },
  {
    what: 'rolls dice outside lib/backoff.ts',
    floors: CODE,
    door: /^lib\/backoff\.ts$/,
    deed: (node) => isMember(node, 'Math', /^random$/),
  },
  {
    what: 'makes keys or identities outside lib/keyring.ts, lib/fernet.ts, lib/envelope.ts, lib/id.ts',
    floors: HOUSE,
    door: /^lib\/(keyring|fernet|envelope|id)\.ts$/,
    deed: (node) =>
      ts.isIdentifier(node) &&
      (KEY_MAKERS.has(node.text) || node.text === 'getRandomValues') &&
      !isDeclaredName(node),
  },
]

/** One door per side effect. */
export const sideEffectDoors: Rule = (sources) =>
  SIDE_EFFECTS.flatMap(({ what, floors, door, modules, deed }) =>
    eachFile(floors, (file, path) => {
      if (door.test(path)) return []
      const brought = imports(file).filter(({ specifier }) => modules?.test(specifier))
      const done = nodesOf(file).filter(deed)
      return [...brought.map(({ node }) => node), ...done].map((node) => at(file, node, what))
    })(sources),
  )
