// A collection: a question about resources, and verbs over its answer.
// Promise: values are always bound, fields are always declared ones; verbs go page by page, so a set of
// any size takes bounded memory, and what was done is counted.
import type { Knex } from '../lib/database.ts'
import type { Held, Many, ManyTasks, ResourceClass, TaskHandle, Where } from './handle.ts'
import type { Kind } from './kind.ts'

export interface CollectionParts {
  readonly knex: Knex
  readonly kinds: readonly Kind[]
  load(row: any): any
  encode(name: string, value: unknown): unknown
}

const PAGE = 200

export class Collection<C extends ResourceClass> implements Many<C> {
  readonly #parts: CollectionParts
  readonly #narrowings: readonly ((query: Knex.QueryBuilder) => void)[]

  constructor(
    parts: CollectionParts,
    narrowings: readonly ((query: Knex.QueryBuilder) => void)[] = [],
  ) {
    this.#parts = parts
    this.#narrowings = narrowings
  }

  /** Narrows the question. @throws FIELD_UNKNOWN, ARGUMENT_INVALID for a secret field */
  where(wanted: Where<C>): Collection<C> & CollectionTasks<C> {
    const { state, parentId, availability, ...fields } = wanted as Record<string, unknown>
    const equal = Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [name, this.#parts.encode(name, value)]),
    )
    const namesOf = (name: string) => this.#parts.kinds[0]?.fields.namesOf(name) ?? [name]
    const narrow = (query: Knex.QueryBuilder) => {
      if (state !== undefined) query.where('state', state as string)
      if (parentId !== undefined) query.where('parent_id', parentId as string)
      if (availability === 'unknown')
        query.whereRaw(`(availability IS NULL OR availability->>'status' = 'unknown')`)
      else if (availability !== undefined)
        query.whereRaw(`availability->>'status' = ?`, [availability as string])
      for (const [name, value] of Object.entries(equal)) {
        const [today, ...was] = namesOf(name).map((one) => JSON.stringify({ [one]: value }))
        query.where((either) => {
          either.whereRaw('fields @> ?::jsonb', [today as string])
          for (const old of was)
            either.orWhereRaw('(fields @> ?::jsonb AND NOT fields \\? ?)', [old, name])
        })
      }
    }
    return collect(this.#parts, [...this.#narrowings, narrow])
  }

  async count(): Promise<number> {
    const row: any = await this.#query().count('id as count').first()
    return Number(row.count)
  }

  /** The first by age; undefined when there is none. */
  async first(): Promise<Held<C> | undefined> {
    const [row] = await this.#query().orderBy('id').limit(1)
    return row && this.#parts.load(row)
  }

  async toArray(): Promise<Held<C>[]> {
    const found: Held<C>[] = []
    for await (const resource of this) found.push(resource)
    return found
  }

  /** Every resource, oldest first, a page at a time. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Held<C>> {
    for (let after: string | null = null; ; ) {
      const query = this.#query().orderBy('id').limit(PAGE)
      const rows: any[] = await (after === null ? query : query.where('id', '>', after))
      for (const row of rows) yield this.#parts.load(row)
      if (rows.length < PAGE) return
      after = rows.at(-1).id
    }
  }

  /** The verbs of a task over all of them. @throws TASK_UNKNOWN */
  task(name: string): ManyTasks {
    for (const kind of this.#parts.kinds) kind.task(name)
    const each = (verb: (task: TaskHandle) => Promise<boolean>) => this.#each(name, verb)
    return {
      start: (args, because) =>
        each(async (task) => (await task.start(args as never, because)).isNew),
      stop: (because) => each((task) => task.stop(because)),
      send: (event, options) =>
        each(async (task) => (await task.send(event as never, options)) === undefined),
    }
  }

  async #each(name: string, verb: (task: TaskHandle) => Promise<boolean>): Promise<number> {
    let changed = 0
    for await (const resource of this) if (await verb((resource as any)[name])) changed += 1
    return changed
  }

  #query(): Knex.QueryBuilder {
    const query = this.#parts.knex('resources').whereIn(
      'kind',
      this.#parts.kinds.flatMap(({ names }) => names),
    )
    for (const narrow of this.#narrowings) narrow(query)
    return query
  }
}

type CollectionTasks<C> = C extends { tasks: infer T }
  ? { readonly [K in keyof T]: ManyTasks }
  : never

/** A collection whose tasks are properties: `app.find(Server).where({…}).provision.start()`. */
export function collect<C extends ResourceClass>(
  parts: CollectionParts,
  narrowings: readonly ((query: Knex.QueryBuilder) => void)[] = [],
): Collection<C> & CollectionTasks<C> {
  const collection = new Collection<C>(parts, narrowings)
  for (const name of parts.kinds[0]?.taskNames ?? []) {
    Object.defineProperty(collection, name, { get: () => collection.task(name) })
  }
  return collection as Collection<C> & CollectionTasks<C>
}
