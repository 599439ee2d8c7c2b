// A lock in Redis: a key that expires, changed only by whoever knows its value. Keys, values and rules are
// those of redlock, so that each keeps the other out.
// Promise: null means somebody else holds it, an error means Redis could not be asked, and a hold
// that took most of its own time to get is not handed out. What is asked during one trip goes together
// in the next; a key is nobody's business but its own. Who asks for one that is held leaves a mark beside it.
import { Coalescer } from '../coalescer.ts'
import type { Hold, Lock } from '../contract.ts'
import { asError } from '../errors.ts'
import { newToken } from '../id.ts'
import type { RedisDoor } from '../redis.ts'
import type { Time } from '../time.ts'

/** A key that is ours already is an answer that was lost on the way. */
const ACQUIRE = `
  local answers = {}
  for i, key in ipairs(KEYS) do
    local token = ARGV[2 * i - 1]
    local got = redis.call('set', key, token, 'NX', 'PX', ARGV[2 * i])
    local ours = got or redis.pcall('get', key) == token
    if not ours then redis.call('set', key .. ':asked', 1, 'PX', ARGV[2 * i]) end
    answers[i] = ours and 1 or 0
  end
  return answers`

const EXTEND = `
  local answers = {}
  for i, key in ipairs(KEYS) do
    local ours = redis.pcall('get', key) == ARGV[2 * i - 1]
    answers[i] = ours and redis.call('pexpire', key, ARGV[2 * i]) or 0
  end
  return answers`

/** Says whether nobody has asked for the key. */
const RELEASE = `
  local answers = {}
  for i, key in ipairs(KEYS) do
    local ours = redis.pcall('get', key) == ARGV[2 * i - 1]
    answers[i] = ours and redis.call('del', key, key .. ':asked') or 0
  end
  return answers`

/** The most keys of one trip: Redis does nothing else meanwhile. */
const MOST_KEYS = 200

export interface RedisLockOptions {
  /** Stays open when the lock closes: others use it too. */
  readonly redis: RedisDoor
  /** Keys are `<prefix>:lock:<key>`. */
  readonly prefix: string
  readonly time: Time
}

/** A key, the value only its holder knows, and its time to live. */
interface Asked {
  readonly key: string
  readonly token: string
  readonly ttlMs: number
}

type Verb = Coalescer<Asked, boolean>

/** One Redis, so no quorum: scripts that compare before they change. */
export class RedisLock implements Lock {
  readonly #options: RedisLockOptions
  readonly #acquire: Verb
  readonly #extend: Verb
  readonly #release: Verb

  constructor(options: RedisLockOptions) {
    this.#options = options
    this.#acquire = verbOf(options.redis, ACQUIRE)
    this.#extend = verbOf(options.redis, EXTEND)
    this.#release = verbOf(options.redis, RELEASE)
  }

  /**
   * Tries once.
   * @throws when Redis gives no answer, with what it or the connection said as the cause
   */
  async acquire(key: string, ttlMs: number): Promise<Hold | null> {
    const { prefix, time } = this.#options
    const askedAt = time.monotonic()
    const asked = { key: `${prefix}:lock:${key}`, token: newToken().replaceAll('-', ''), ttlMs }
    if (!(await this.#acquire.ask(asked))) return null
    const hold: Hold = {
      extend: (ttlMs) => this.#extend.ask({ ...asked, ttlMs }),
      release: async () => !(await this.#release.ask(asked)),
    }
    if (time.monotonic() - askedAt < ttlMs / 2) return hold
    await hold.release().catch(() => {})
    return null
  }

  async close(): Promise<void> {}
}

/** Says a script for many keys at once. */
function verbOf(redis: RedisDoor, lua: string): Verb {
  const run = redis.script(lua)
  return new Coalescer<Asked, boolean>({
    trip: async (many) => {
      const values = many.flatMap(({ token, ttlMs }) => [token, ttlMs])
      const answers = await run(
        many.map(({ key }) => key),
        values,
      ).catch((thrown) => {
        throw unasked(asError(thrown))
      })
      return (answers as number[]).map((answer) => answer === 1)
    },
    most: MOST_KEYS,
    trips: 1,
    // A time to live that is no time is the fault of one; that Redis is full or away is nobody's.
    isPersonal: (error) => /^ERR /.test(asError(asError(error).cause).message),
  })
}

const unasked = (cause: Error) =>
  new Error(`The lock could not be asked: ${cause.message}`, { cause })
