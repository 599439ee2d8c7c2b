// Fields: typed attributes of a resource, on its JSON column.
// Promise: what is written was accepted by its schema; a secret is sealed before it reaches a column;
// a field that is null is a field that is absent; what no code knows is kept aside, never dropped.
import type * as z from 'zod'
import { decode, encode, type Json, Ref, type Sealer } from '../lib/codec.ts'
import { fault } from '../lib/errors.ts'
import { Secret, secretOf } from '../lib/secret.ts'
import { Names } from './names.ts'

/** One declared field. `T` is what reading it gives. */
export interface Field<T = any> {
  readonly schema: z.ZodType<T>
  readonly isSecret: boolean
  readonly was?: readonly string[]
}

export interface FieldOptions {
  /** Names the field had before; values stored under them are its values. */
  readonly was?: readonly string[]
}

export type FieldMap = Readonly<Record<string, Field>>
/** The types behind a map of fields. */
export type Values<F extends FieldMap> = {
  -readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never
}
/** What `create` asks for: fields that may be absent, or have a default, may be left out. */
export type Inputs<F extends FieldMap> = {
  [K in keyof F as undefined extends z.input<F[K]['schema']> ? never : K]: z.input<F[K]['schema']>
} & {
  [K in keyof F as undefined extends z.input<F[K]['schema']> ? K : never]?:
    | z.input<F[K]['schema']>
    | undefined
}

/** Declares a field. */
export function field<S extends z.ZodType>(
  schema: S,
  options: FieldOptions = {},
): { readonly schema: S; readonly isSecret: false } & Field<z.output<S>> {
  return { schema, isSecret: false, ...options } as never
}

/** Declares a field whose value is encrypted at rest and masked wherever a resource is shown. */
export function secret<S extends z.ZodType>(
  schema: S,
  options: FieldOptions = {},
): { readonly schema: S; readonly isSecret: true } & Field<z.output<S>> {
  return { schema, isSecret: true, ...options } as never
}

/** A reference to another resource, to be kept in a field or a context. */
export const resourceRef = (kind: string, id: string) => new Ref('resource', kind, id)

/** Stored columns, sorted. `renamed` are the old names under which known ones are stored. */
export interface Sorted {
  readonly known: Record<string, unknown>
  readonly renamed: string[]
  readonly aside: Record<string, unknown>
}

/** The fields of one kind of resource: checks, encodes and decodes. */
export class FieldSet {
  readonly kind: string
  readonly #fields: ReadonlyMap<string, Field>
  readonly #names: Names

  /** @throws NAME_TAKEN for an old name that is in use */
  constructor(kind: string, fields: FieldMap) {
    this.kind = kind
    this.#fields = new Map(Object.entries(fields))
    this.#names = new Names(
      [...this.#fields].map(([name, { was }]) => [name, was ?? []]),
      (name, why) => fault('NAME_TAKEN', { kind, what: 'field', name, why }),
    )
  }

  get names(): string[] {
    return [...this.#fields.keys()]
  }

  /** The name of a field, and all it had before. */
  namesOf(name: string): string[] {
    return this.#names.all(name)
  }

  isSecret(name: string): boolean {
    return this.#find(name).isSecret
  }

  /** Every field of a new resource, defaults applied, ready for the column. Names all that is wrong at once. */
  encodeNew(given: Readonly<Record<string, unknown>>, sealer: Sealer): Record<string, Json> {
    for (const name of Object.keys(given)) this.#find(name)
    const problems: string[] = []
    const stored: Record<string, Json> = {}
    for (const [name, { schema }] of this.#fields) {
      const { success, data, error } = schema.safeParse(given[name] ?? undefined)
      if (!success) problems.push(`${name}: ${explain(error)}`)
      else if (data !== undefined && data !== null) stored[name] = this.#encode(name, data, sealer)
    }
    if (problems.length > 0)
      throw fault('FIELDS_INVALID', { kind: this.kind, problems: problems.join('; ') })
    return stored
  }

  /**
   * One value as its schema wants it; undefined when the field is to be absent.
   * @throws FIELD_UNKNOWN, FIELDS_INVALID
   */
  accept(name: string, value: unknown): unknown {
    const { success, data, error } = this.#find(name).schema.safeParse(value ?? undefined)
    if (!success)
      throw fault('FIELDS_INVALID', { kind: this.kind, problems: `${name}: ${explain(error)}` })
    return data ?? undefined
  }

  encode(name: string, value: unknown, sealer: Sealer): Json {
    this.#find(name)
    return this.#encode(name, value, sealer)
  }

  decode(name: string, json: unknown, sealer: Sealer): unknown {
    if (json === undefined || json === null) return undefined
    const value = decode(json, sealer)
    return this.#find(name).isSecret && value instanceof Secret ? value.reveal() : value
  }

  /** Parts stored columns into those the code knows, those it knows by another name now, and those it does not. */
  sort(stored: Readonly<Record<string, unknown>>): Sorted {
    const sorted: Sorted = { known: {}, renamed: [], aside: {} }
    for (const [stale, json] of Object.entries(stored)) {
      const name = this.#names.today(stale)
      if (!this.#fields.has(name)) sorted.aside[stale] = json
      else if (name === stale) sorted.known[name] = json
      else if (Object.hasOwn(stored, name)) sorted.aside[stale] = json
      else {
        sorted.known[name] ??= json
        sorted.renamed.push(stale)
      }
    }
    return sorted
  }

  /** The name a stored name has today. */
  today(stored: string): string {
    return this.#names.today(stored)
  }

  #encode(name: string, value: unknown, sealer: Sealer): Json {
    return encode(this.#find(name).isSecret ? secretOf(value) : value, sealer)
  }

  #find(name: string): Field {
    const found = this.#fields.get(name)
    if (!found)
      throw fault('FIELD_UNKNOWN', {
        kind: this.kind,
        name,
        known: this.names.join(', ') || 'none',
      })
    return found
  }
}

function explain(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => [...path, message].join(' ')).join(', ')
}
