// Fields: checked, defaulted, sealed; absent when null; never lost because a program did not know them.
import { inspect } from 'node:util'
import { setup } from 'xstate'
import * as z from 'zod'
import {
  effect,
  field,
  Keyring,
  Ref,
  Resource,
  type Secret,
  secret,
  steps,
} from '../../bin/index.ts'
import { secretOf } from '../../lib/secret.ts'
import { resourceRef } from '../../models/fields.ts'
import { openHouse } from '../support/house.ts'
import { codeOf, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

const CANARY = 'canary-7f3a'

const ask = effect(async ({ resource }) => ({ token: secretOf(resource.password) }))

class Server extends Resource {
  static override fields = {
    plan: field(z.enum(['small', 'large']).default('small')),
    title: field(z.string().trim().min(2)),
    note: field(z.string().nullish()),
    blank: field(
      z
        .string()
        .transform((text) => text || null)
        .optional(),
    ),
    when: field(z.date().optional()),
    peer: field(z.instanceof(Ref).optional()),
    tags: field(z.array(z.string()).default([])),
    password: secret(z.string().optional()),
  }
  static override tasks = {
    hide: setup({
      types: {} as { events: { type: 'TELL'; secret: Secret<string> } },
      actors: { ask },
    }).createMachine({
      context: ({ input }: any) => ({ given: input?.secret }),
      initial: 'asking',
      states: {
        asking: { invoke: { src: 'ask', onDone: 'told' } },
        told: { on: { TELL: { target: 'told', reenter: true } } },
      },
    }),
    change: steps({
      change: async (t) => {
        t.resource.title = 'changed'
        return t.stop()
      },
    }),
  }
}

const test = suite('fields')
const on = stage(test, { resources: [Server] })
const column = async (id: string) =>
  (await on.house.sql('SELECT fields, lost_and_found FROM resources WHERE id = $1', [id]))[0]

test('are what their schemas make of them', async () => {
  const at = new Date(5)
  const made = await on.app.create(Server, { title: '  box ', when: at })
  const peer = resourceRef('Server', made.id)
  const server = await on.app.create(Server, { title: 'other', peer, plan: 'large' })
  const read = await on.app.get(Server, server.id)
  assert.equal(
    [read.plan, read.title, read.note, read.when],
    ['large', 'other', undefined, undefined],
  )
  assert.equal([made.plan, made.title, made.when, made.tags], ['small', 'box', at, []])
  assert.equal(read.peer, peer)
})

test('that are wrong are all named at once, and nothing is made', async () => {
  const before = await on.app.find(Server).count()
  const wrong = { title: 'x', plan: 'medium', tags: 'no' } as never
  const error = await on.app.create(Server, wrong).catch((thrown) => thrown)
  assert.is(error.code, 'FIELDS_INVALID')
  for (const name of ['title', 'plan', 'tags']) assert.match(error.message, `${name}: `)
  const unknown = await on.app.create(Server, { title: 'box', nmae: 1 } as never).catch((e) => e)
  assert.is(unknown.code, 'FIELD_UNKNOWN')
  assert.match(unknown.message, 'Server has no field "nmae". Its fields: plan, title,')
  assert.is(await on.app.find(Server).count(), before)
})

test('refuse a wrong value at once, and keep the old one', async () => {
  const server = await on.app.create(Server, { title: 'box' })
  for (const wrong of [{ plan: 'medium' }, { title: undefined }]) {
    assert.is(await codeOf(() => Object.assign(server, wrong)), 'FIELDS_INVALID')
  }
  assert.equal([server.plan, server.title], ['small', 'box'])
})

test('that are null are absent', async () => {
  const server = await on.app.create(Server, { title: 'box', note: null })
  assert.not.ok('note' in (await column(server.id)).fields)
  server.note = 'here'
  await server.save()
  assert.is((await column(server.id)).fields.note, 'here')
  for (const nothing of [null, undefined]) {
    server.note = nothing
    assert.is(server.note, undefined)
    await server.save()
    assert.not.ok('note' in (await column(server.id)).fields)
    assert.is((await on.app.get(Server, server.id)).note, undefined)
  }
})

test('are saved against what was read, and never over another change', async () => {
  const ours = await on.app.create(Server, { title: 'box' })
  const theirs = await on.app.get(Server, ours.id)
  theirs.note = 'theirs'
  await theirs.save()
  ours.title = 'ours'
  assert.is(await codeOf(ours.save()), 'DESYNCHRONIZED')
  await ours.reload()
  assert.equal([ours.title, ours.note], ['box', 'theirs'])
  ours.title = 'ours'
  await ours.save()
  await ours.save()
  assert.is((await on.app.get(Server, ours.id)).title, 'ours')
})

test('that their schema makes null are absent too', async () => {
  const server = await on.app.create(Server, { title: 'box', blank: 'no' })
  server.blank = ''
  await server.save()
  assert.is(server.blank, undefined)
  assert.not.ok('blank' in (await column(server.id)).fields)
})

// ---- unknown fields -----------------------------------------------------------------------------

test('no code knows are kept aside at the next write, and come back with the code', async () => {
  class Old extends Resource {
    static override kind = 'Server'
    static override fields = { title: Server.fields.title, tags: Server.fields.tags }
    static override tasks = { change: Server.tasks.change }
  }
  const server = await on.app.create(Server, { title: 'box', note: 'precious', password: 'x' })
  const older = await on.house.neighbour({ resources: [Old], time: on.time })
  const old = await older.get(Old, server.id)
  old.tags = ['seen']
  await old.save()
  const { fields, lost_and_found: lost } = await column(server.id)
  assert.equal(Object.keys(fields).sort(), ['tags', 'title'])
  assert.equal(Object.keys(lost).sort(), ['note', 'password', 'plan'])
  old.tags = ['seen', 'again']
  await old.save()
  assert.is((await column(server.id)).lost_and_found.note, 'precious')

  await server.reload()
  const { note, password, plan, tags } = server
  assert.equal([note, password, plan, tags], ['precious', 'x', 'small', ['seen', 'again']])
  // Steps see them too, and the first write brings back what it writes.
  await server.change.start()
  await on.settle()
  server.note = 'new'
  await server.reload()
  server.note = 'new'
  server.plan = 'large'
  await server.save()
  const after = await column(server.id)
  assert.equal([after.fields.note, after.fields.plan], ['new', 'large'])
  assert.not.ok('note' in (after.lost_and_found ?? {}))
  assert.is((await on.app.get(Server, server.id)).password, 'x')
})

// ---- secrets ------------------------------------------------------------------------------------

test('that are secret are in clear in no column of no table, and in no print', async () => {
  const server = await on.app.create(Server, { title: 'box', password: CANARY })
  await server.hide.start({ secret: secretOf(CANARY) } as never)
  await on.settle()
  await server.hide.send({ type: 'TELL', secret: secretOf(CANARY) })
  server.password = `${CANARY}-2`
  await server.save()
  const all = await everything()
  assert.match(all, 'Server', 'the tables were read')
  assert.not.match(all, CANARY)
  await on.settle()
  assert.not.match(await everything(), CANARY)
  assert.is((await on.app.get(Server, server.id)).password, `${CANARY}-2`)
  for (const text of [JSON.stringify(server), inspect(server, { depth: 9, showHidden: true })]) {
    assert.not.match(text, CANARY)
  }
  assert.is((await server.hide.status())!.state, 'told')
})

/** Every row of every table of the house, its queue's too. */
async function everything(): Promise<string> {
  const tables = await on.house.sql(
    `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
     WHERE table_schema = ANY($1)`,
    [[on.house.schema, `${on.house.schema}_queue`]],
  )
  const texts = tables.map(async ({ name }) => {
    const rows = await on.house.sql(`SELECT to_jsonb(t)::text AS row FROM ${name} t`)
    return `${name}\n${rows.map(({ row }) => row).join('\n')}`
  })
  return (await Promise.all(texts)).join('\n')
}

test('that are secret cannot be asked for', async () => {
  const question = () => on.app.find(Server).where({ password: CANARY })
  assert.is(await codeOf(question), 'ARGUMENT_INVALID')
})

test('sealed with a key that is not here keep a process from starting, and nobody else', async () => {
  const server = await on.app.create(Server, { title: 'box', password: CANARY })
  for (const [id, code] of [
    [0, 'KEY_MISMATCH'],
    [7, 'KEY_ABSENT'],
  ] as const) {
    const config = { ESCAPEMENT_KEYS: Keyring.generate(id) }
    assert.is(await codeOf(on.house.neighbour({ config, time: on.time })), code)
  }
  const friend = await on.house.neighbour({ time: on.time })
  assert.is((await friend.get(Server, server.id)).password, CANARY)
})

test('whose seal was altered are an error that says so, when they are read', async () => {
  const { id } = await on.app.create(Server, { title: 'box', password: CANARY })
  const seal = `'{password,$secret}', to_jsonb($2 || substr(fields#>>'{password,$secret}', 3))`
  const sql = `UPDATE resources SET fields = jsonb_set(fields, ${seal}) WHERE id = $1`
  for (const [start, code] of [
    ['7.', 'SEAL_UNKNOWN_KEY'],
    ['0.x', 'SEAL_BROKEN'],
  ]) {
    await on.house.sql(sql, [id, start])
    const seen = await on.app.get(Server, id)
    assert.is(seen.title, 'box')
    assert.is(await codeOf(() => seen.password), code)
  }
})

test('sealed with an older key are read, and sealed with the newest when written', async () => {
  const old = Keyring.generate(3)
  const house = await openHouse({ resources: [Server], config: { ESCAPEMENT_KEYS: old } })
  const { id } = await house.app.create(Server, { title: 'box', password: 'pw' })
  const config = { ESCAPEMENT_KEYS: `${old},${Keyring.generate(4)}` }
  const server = await (await house.neighbour({ config })).get(Server, id)
  assert.is(server.password, 'pw')
  server.password = 'other'
  await server.save()
  const [row] = await house.sql('SELECT fields::text AS text FROM resources WHERE id = $1', [id])
  assert.match(row.text, /"4\./)
  await house.close()
})

test.run()
