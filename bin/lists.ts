// Lists of what is stored: runs, resources of any kind, resources of one kind.
// Promise: a list has one shape as JSON, described in docs/cli.md, and one as a table.
import { fault } from '../lib/errors.ts'
import type { Availability, Resource, ResourceClass } from '../models/index.ts'
import type { Kind } from '../models/kind.ts'
import type { ResourceLine, RunLine } from '../models/query.ts'
import type { Opened } from './door.ts'
import { moment } from './print.ts'
import { fieldValue, pairs } from './words.ts'

/** What was asked for. */
export interface Wanted {
  readonly id?: string
  readonly state?: string
  readonly where?: readonly string[]
  readonly limit: number
}

/** An answer: for machines, and for a table. */
export interface List {
  readonly values: readonly object[]
  readonly head: readonly string[]
  readonly rows: readonly (readonly unknown[])[]
  /** More columns for `-o wide`. */
  readonly wideHead: readonly string[]
  readonly wideRows: readonly (readonly unknown[])[]
}

/** A run as JSON. */
export const runValue = ({ startedAt, movedAt, finishedAt, dueAt, ...run }: RunLine) => ({
  ...run,
  startedAt: moment(startedAt),
  movedAt: moment(movedAt),
  finishedAt: moment(finishedAt),
  dueAt: moment(dueAt),
})

/** `get tasks`: runs of every kind. @throws RUN_UNKNOWN, ARGUMENT_INVALID */
export async function listRuns({ query }: Opened, wanted: Wanted): Promise<List> {
  const { id, state, limit } = wanted
  const where = only(pairs('--where', wanted.where), ['kind', 'resource', 'task', 'status'])
  const { resource, ...others } = where
  const runs = await query.runs({
    ...others,
    ...(resource !== undefined && { resourceId: resource.slice(resource.indexOf('/') + 1) }),
    ...(id !== undefined && { taskId: id }),
    ...(state !== undefined && { state }),
    limit,
  })
  if (id !== undefined && runs.length === 0) throw fault('RUN_UNKNOWN', { id })
  const values = runs.map(runValue)
  return {
    values,
    head: ['resource', 'task', 'status', 'state', 'step', 'due'],
    rows: values.map((run) => [
      `${run.kind}/${run.resourceId}`,
      ...[run.task, run.status, run.state, run.step, run.dueAt],
    ]),
    wideHead: ['run', 'started', 'moved', 'finished'],
    wideRows: values.map((run) => [run.taskId, run.startedAt, run.movedAt, run.finishedAt]),
  }
}

/** A resource of any kind as JSON. */
export const resourceValue = ({ createdAt, updatedAt, ...resource }: ResourceLine) => ({
  ...resource,
  createdAt: moment(createdAt),
  updatedAt: moment(updatedAt),
})

/** `get resources`: of every kind, known to the app or not. @throws RESOURCE_UNKNOWN, ARGUMENT_INVALID */
export async function listResources({ query }: Opened, wanted: Wanted): Promise<List> {
  const { id, state, limit } = wanted
  const where = only(pairs('--where', wanted.where), ['kind', 'parent'])
  const { kind, parent } = where
  const found = await query.resources({
    ...(kind !== undefined && { kind }),
    ...(parent !== undefined && { parentId: parent.slice(parent.indexOf('/') + 1) }),
    ...(id !== undefined && { id }),
    ...(state !== undefined && { state }),
    limit,
  })
  if (id !== undefined && found.length === 0)
    throw fault('RESOURCE_UNKNOWN', { kind: 'resources', id })
  const values = found.map(resourceValue)
  return {
    values,
    head: ['resource', 'state', 'created'],
    rows: values.map((one) => [`${one.kind}/${one.id}`, one.state, one.createdAt]),
    wideHead: ['parent', 'updated'],
    wideRows: values.map((one) => [one.parentId, one.updatedAt]),
  }
}

/** `get KIND`: with fields, secrets masked. @throws RESOURCE_UNKNOWN, FIELD_UNKNOWN, FIELDS_INVALID */
export async function listKind(opened: Opened, kind: Kind, wanted: Wanted): Promise<List> {
  const { app } = opened
  const values: Record<string, any>[] = []
  const add = (held: Resource) =>
    values.push({ ...held.toJSON(), availability: availabilityValue(held.availability) })
  if (wanted.id !== undefined) add(await app.getByName(kind.name, wanted.id))
  else {
    for await (const held of chosen(opened, kind, wanted)) {
      add(held)
      if (values.length === wanted.limit) break
    }
  }
  const { names } = kind.fields
  return {
    values,
    head: ['resource', 'state', ...names],
    rows: values.map((one) => [
      `${one.kind}/${one.id}`,
      one.state,
      ...names.map((name) => one.fields[name]),
    ]),
    wideHead: ['availability', 'since', 'parent'],
    wideRows: values.map(({ availability, parentId }) => [
      ...[availability.status, availability.since, parentId],
    ]),
  }
}

/** What was last said of a resource, as JSON. */
export const availabilityValue = ({ since, ...said }: Availability) => ({
  ...said,
  since: moment(since),
})

/** The resources a filter means. @throws FIELD_UNKNOWN, FIELDS_INVALID, ARGUMENT_INVALID for a secret */
export function chosen(
  { app }: Opened,
  kind: Kind,
  { state, where }: Pick<Wanted, 'state' | 'where'>,
) {
  const fields = Object.entries(pairs('--where', where)).map(([name, word]) => [
    name,
    name === 'availability' ? word : fieldValue(kind.fields, name, word),
  ])
  const wanted = { ...Object.fromEntries(fields), ...(state !== undefined && { state }) }
  return app.find(kind.shape as ResourceClass).where(wanted as never)
}

function only(given: Record<string, string>, names: readonly string[]): Record<string, string> {
  const unknown = Object.keys(given).find((name) => !names.includes(name))
  if (unknown === undefined) return given
  const reason = `"${unknown}" cannot be asked for here; these can: ${names.join(', ')}`
  throw fault('ARGUMENT_INVALID', { what: '--where', reason })
}
