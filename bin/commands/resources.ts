// Commands about resources themselves: create, set and delete.
// Promise: fields are checked by their schemas before anything is written; all that is wrong is named at once.
import type { Command } from 'commander'
import { fault, isFault } from '../../lib/errors.ts'
import type { FieldSet } from '../../models/fields.ts'
import { confirm } from '../confirm.ts'
import { forOne, nameOf } from '../crowd.ts'
import { type Change, changing, type Door, doing } from '../door.ts'
import { dataObject, fieldValue, pairs, resourceWord } from '../words.ts'

interface Create extends Change {
  readonly field?: readonly string[]
  readonly data?: string
  readonly parent?: string
}

export function resourceCommands(program: Command, door: Door): void {
  createCommand(program, door)
  setCommand(program, door)
  deleteCommand(program, door)
}

function createCommand(program: Command, door: Door): void {
  const create = program
    .command('create <kind>')
    .description('make a resource')
    .option('--field <name=value...>', 'its fields, as text or JSON')
    .option('--data <json>', 'its fields as a JSON object, @file, or - for standard input')
    .option('--parent <kind/id>', 'the resource it belongs to')
  doing<Create>(changing(create), async ([kindName], options) => {
    const given = await dataObject(door.street, options.data)
    await door.withApp(options, async ({ app }) => {
      const kind = app.registry.find(kindName)
      const fields = { ...given, ...fieldsOf(kind.fields, '--field', options.field) }
      const parent = options.parent === undefined ? null : resourceWord(options.parent)
      const above = parent && (await app.getByName(parent.kind, parent.id))
      const made = await app.create(kind.shape as never, fields as never, {
        ...door.because(options),
        ...(above && { parent: above }),
      })
      const held = made as Awaited<ReturnType<typeof app.getByName>>
      door.tell(options, held.toJSON(), `created ${nameOf(held)}`)
    })
  })
}

interface SetOptions extends Change {
  readonly unset?: readonly string[]
}

function setCommand(program: Command, door: Door): void {
  const set = program
    .command('set <kind/id> [name=value...]')
    .description('set fields of a resource, all in one commit')
    .option('--unset <name...>', 'fields to take away')
  forOne<SetOptions>(door, set, async (held, [word, words], options, { app }) => {
    const wanted = pairs('set', words)
    const names = [...Object.keys(wanted), ...(options.unset ?? [])]
    if (names.length === 0) {
      throw fault('ARGUMENT_INVALID', { what: `Setting ${word}`, reason: 'no field is named' })
    }
    const { fields } = app.registry.find(held.kind)
    const values = fieldsOf(fields, 'set', words)
    for (const name of options.unset ?? []) values[name] = fields.accept(name, undefined)
    for (const [name, value] of Object.entries(values)) (held as any)[name] = value
    await held.save(door.because(options))
    return { value: held.toJSON(), sentence: `set ${names.join(', ')} of ${nameOf(held)}` }
  })
}

interface Delete extends Change {
  readonly force?: boolean
  readonly cascade?: boolean
  readonly yes?: boolean
}

function deleteCommand(program: Command, door: Door): void {
  const command = program
    .command('delete <kind/id>')
    .description('delete a resource: its tasks stop, its exit machine runs, then its row goes')
    .option('--force', 'at once, without stopping or cleaning up anything')
    .option('--cascade', 'with the resources that belong to it, these first')
    .option('--yes', 'do not ask')
  forOne<Delete>(door, command, async (held, [word], options, { app }) => {
    const { force = false, cascade = false, yes } = options
    const deed = `deletes ${nameOf(held)}${force ? ' at once, cleaning up nothing' : ''}`
    await confirm(door.street, { yes, deed, word, what: 'its name' })
    await held.delete({ ...door.because(options), force, cascade })
    const left = await app.getByName(held.kind, held.id).catch(gone)
    const sentence = left ? `deleting ${nameOf(held)}` : `deleted ${nameOf(held)}`
    return { value: { gone: left === null }, sentence }
  })
}

const gone = (thrown: unknown): null => {
  if (isFault(thrown, 'RESOURCE_UNKNOWN')) return null
  throw thrown
}

/** Words as values of fields. @throws FIELD_UNKNOWN, FIELDS_INVALID, ARGUMENT_INVALID */
function fieldsOf(
  fields: FieldSet,
  what: string,
  words: readonly string[] | undefined,
): Record<string, unknown> {
  const given = Object.entries(pairs(what, words))
  return Object.fromEntries(given.map(([name, word]) => [name, fieldValue(fields, name, word)]))
}
