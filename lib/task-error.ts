// An error that says what is to be made of it: whether to try again, how grave it is, what to do, what it was about.
// Promise: said by the class, by the error, or where it is thrown; the nearest to the throw counts. The built-in
// classes are in task-errors.ts; errors of other libraries are asked for properties of the same names.
import { asError, EscapementError } from './errors.ts'
import { SEVERITIES, type Severity } from './notice.ts'

/** What may be said where an error is thrown. */
export interface TaskErrorOptions {
  readonly cause?: unknown
  /** May the same attempt succeed later? */
  readonly retryable?: boolean
  readonly severity?: Severity
  /** What whoever is called should do. */
  readonly playbook?: string
  /** What it was about: plain data, kept with the failure. Not for secrets, which are masked where they are known. */
  readonly context?: Readonly<Record<string, unknown>>
  /** A word for programs, such as `QUOTA_USED_UP`. */
  readonly code?: string
}

/** What a class of errors usually means, unless somebody says otherwise. */
export interface Usual {
  readonly retryable: boolean
  readonly severity: Severity
  readonly playbook: string | null
}

const USUAL: Usual = { retryable: true, severity: 'error', playbook: null }

/** The base of errors of your own. Its static members speak for a whole class, its options for one throw. */
export class TaskError extends Error {
  static readonly retryable?: boolean
  static readonly severity?: Severity
  static readonly playbook?: string
  static readonly code?: string
  /** Of the built-in classes; say `retryable`, `severity` and `playbook` in your own. */
  static readonly usual: Usual = USUAL

  readonly retryable: boolean
  readonly severity: Severity
  readonly playbook: string | null
  readonly context: Readonly<Record<string, unknown>>
  readonly code: string | undefined
  readonly #options: TaskErrorOptions
  readonly #usual: Usual
  readonly #given: Usual

  /** @param usual for the built-in classes */
  constructor(message: string, options: TaskErrorOptions = {}, usual: Usual = new.target.usual) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    const { retryable, severity, playbook, code } = new.target
    Object.defineProperty(this, 'name', {
      value: new.target.name,
      configurable: true,
      writable: true,
    })
    this.#options = options
    this.#usual = usual
    this.#given = {
      retryable: options.retryable ?? retryable ?? usual.retryable,
      severity: options.severity ?? severity ?? usual.severity,
      playbook: options.playbook ?? playbook ?? usual.playbook,
    }
    this.retryable = this.#given.retryable
    this.severity = this.#given.severity
    this.playbook = this.#given.playbook
    this.context = options.context ?? {}
    this.code = options.code ?? code
  }

  /** What was really said of an error, by whoever wrote its class or threw it; what is only usual is left out. */
  static said(error: TaskError): TaskErrorOptions {
    const { retryable, severity, playbook } = error.constructor as typeof TaskError
    const statics = defined({ retryable, severity, playbook })
    // A member of a class that was given a value after the constructor had done its work.
    const members = Object.entries({
      retryable: error.retryable,
      severity: error.severity,
      playbook: error.playbook ?? undefined,
    }).filter(([name, value]) => value !== error.#given[name as keyof Usual])
    return { ...statics, ...defined(Object.fromEntries(members)), ...defined(error.#options) }
  }

  /** What counts where nothing was said. */
  static usually(error: TaskError): Usual {
    return error.#usual
  }
}

/** What is to be made of an error. */
export interface Traits extends Usual {
  /** Was the severity, or the playbook, said of this very error or its class? */
  readonly said: { readonly severity: Severity | null; readonly playbook: string | null }
  readonly context: unknown
}

/** Reads any error, of whatever library; never throws. */
export function traitsOf(thrown: unknown, usual: Usual = usualOf(thrown)): Traits {
  const error = asError(thrown)
  const told = error instanceof TaskError ? TaskError.said(error) : {}
  const read = (name: keyof TaskErrorOptions) => told[name] ?? property(error, name)
  const severity = error instanceof TaskError ? told.severity : property(error, 'severity')
  const playbook = error instanceof TaskError ? told.playbook : property(error, 'playbook')
  const said = {
    severity: SEVERITIES.find((one) => one === severity) ?? null,
    playbook: typeof playbook === 'string' && playbook !== '' ? playbook : null,
  }
  const retryable = read('retryable')
  return {
    retryable: typeof retryable === 'boolean' ? retryable : usual.retryable,
    severity: said.severity ?? usual.severity,
    playbook: said.playbook ?? usual.playbook,
    said,
    context: read('context'),
  }
}

function usualOf(thrown: unknown): Usual {
  if (thrown instanceof TaskError) return TaskError.usually(thrown)
  return thrown instanceof EscapementError ? { ...USUAL, playbook: thrown.todo } : USUAL
}

const defined = (values: { [K in keyof TaskErrorOptions]?: unknown }): TaskErrorOptions =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))

function property(error: Error, name: string): unknown {
  try {
    return Reflect.get(error, name)
  } catch {
    return undefined
  }
}
