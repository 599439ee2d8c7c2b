// From the outbox into deliveries: each notice to all its routes, and there to the others of its group.
// Promise: what is taken out of the outbox is in its deliveries, in one transaction; an alarm's close goes where its
// open went, whatever the routes would say, in the same group, so that it is told after it.
import type { Runner } from '../../lib/database.ts'
import { newId } from '../../lib/id.ts'
import type { Notice } from '../../lib/notice.ts'
import type { Time } from '../../lib/time.ts'
import { groupOf, type Route, takes } from './route.ts'
import { CLOSED, OPENS } from './tables.ts'

/** Notices that go together, and where. */
interface Heap {
  readonly route: Route
  readonly group: string
  readonly notices: Notice[]
}

/** A delivery with room in it. */
interface Open {
  readonly id: string
  count: number
}

interface Placed {
  readonly deliveryId: string
  readonly route: string
  readonly notice: Notice
}

export class Intake {
  readonly #routes: ReadonlyMap<string, Route>
  readonly #time: Time

  constructor(parts: { routes: readonly Route[]; time: Time }) {
    this.#routes = new Map(parts.routes.map((route) => [route.name, route]))
    this.#time = parts.time
  }

  /** Writes down who is to be told of what. */
  async keep(runner: Runner, notices: readonly Notice[]): Promise<void> {
    const heaps = await this.#sorted(runner, notices)
    if (heaps.length > 0) await this.#place(runner, heaps)
  }

  async #sorted(runner: Runner, notices: readonly Notice[]): Promise<Heap[]> {
    const known = new Set((await rowsOf(runner, KNOWN, [idsOf(notices)])).map(keyOf))
    const heard = await this.#heard(runner, notices)
    const heaps = new Map<string, Heap>()
    for (const notice of notices) {
      for (const [route, group] of this.#destinations(notice, heard)) {
        if (known.has(keyOf({ route: route.name, notice_id: notice.id }))) continue
        const key = JSON.stringify([route.name, group])
        const heap = heaps.get(key) ?? { route, group, notices: [] }
        heap.notices.push(notice)
        heaps.set(key, heap)
      }
    }
    return [...heaps.values()]
  }

  /** Who heard, or will hear, that these alarms are open: by alarm and episode, route to group. */
  async #heard(
    runner: Runner,
    notices: readonly Notice[],
  ): Promise<Map<string, Map<string, string>>> {
    const closes = notices.filter(({ type, alarmId }) => type === CLOSED && alarmId !== null)
    const alarms = [...new Set(closes.map(({ alarmId }) => alarmId))]
    const rows = alarms.length === 0 ? [] : await rowsOf(runner, HEARD, [alarms, OPENS])
    const heard = new Map<string, Map<string, string>>()
    for (const { alarm_id: alarmId, episode, route, group_key: group } of rows) {
      note(heard, { alarmId, episode }, route, group)
    }
    return heard
  }

  #destinations(notice: Notice, heard: Map<string, Map<string, string>>): [Route, string][] {
    if (notice.type === CLOSED && notice.alarmId !== null) {
      const groups = heard.get(episodeOf(notice)) ?? new Map<string, string>()
      return [...groups].flatMap(([name, group]): [Route, string][] => {
        const route = this.#routes.get(name)
        return route ? [[route, group]] : []
      })
    }
    const taken = [...this.#routes.values()].filter((route) => takes(route, notice))
    return taken.map((route) => {
      const group = groupOf(route, notice)
      if ((OPENS as readonly string[]).includes(notice.type)) note(heard, notice, route.name, group)
      return [route, group]
    })
  }

  async #place(runner: Runner, heaps: readonly Heap[]): Promise<void> {
    const asked = heaps.map(({ route, group }) => ({ route: route.name, group_key: group }))
    const open = byGroup(await rowsOf(runner, OPEN, [JSON.stringify(asked)]))
    const last = byGroup(await rowsOf(runner, LAST, [JSON.stringify(asked)]))
    const nowMs = this.#time.now()
    const [joined, made, placed]: [object[], object[], Placed[]] = [[], [], []]
    for (const { route, group, notices } of heaps) {
      const key = groupKey({ route: route.name, group_key: group })
      let at: Open | null = open.get(key) ?? null
      const least = (last.get(key)?.ended_at ?? Number.NEGATIVE_INFINITY) + route.intervalMs
      for (let from = 0; from < notices.length; ) {
        const isNew = at === null
        at ??= { id: newId(this.#time), count: 0 }
        const some = notices.slice(from, from + Math.max(0, route.most - at.count))
        from += some.length
        at.count += some.length
        const isFull = at.count >= route.most
        const due = isFull ? nowMs : Math.max(nowMs + route.waitMs, least)
        const row = { id: at.id, count: at.count, status: isFull ? 'sending' : 'gathering' }
        if (isNew) made.push({ ...row, route: route.name, group_key: group, due_ms: due })
        else joined.push(row)
        placed.push(...some.map((notice) => ({ deliveryId: row.id, route: route.name, notice })))
        if (isFull) at = null
      }
    }
    if (joined.length > 0) await runner.query(JOIN, [JSON.stringify(joined), nowMs])
    if (made.length > 0) await runner.query(MAKE, [JSON.stringify(made), nowMs])
    await runner.query(PLACE, [JSON.stringify(placed.map(rowOf))])
  }
}

const rowOf = ({ deliveryId, route, notice }: Placed): object => {
  const { id: notice_id, type, alarmId: alarm_id, episode } = notice
  return { route, notice_id, delivery_id: deliveryId, type, alarm_id, episode, notice }
}

const rowsOf = async (runner: Runner, sql: string, params: readonly unknown[]): Promise<any[]> =>
  (await runner.query(sql, params)).rows

const idsOf = (notices: readonly Notice[]) => notices.map(({ id }) => id)
const keyOf = ({ route, notice_id: id }: { route: string; notice_id: string }) => `${route} ${id}`
const groupKey = ({ route, group_key: group }: { route: string; group_key: string }) =>
  JSON.stringify([route, group])
const byGroup = (rows: any[]): Map<string, any> => new Map(rows.map((row) => [groupKey(row), row]))

type Episode = Pick<Notice, 'alarmId' | 'episode'>
const episodeOf = ({ alarmId, episode }: Episode) => `${alarmId} ${episode}`

function note(
  heard: Map<string, Map<string, string>>,
  of: Episode,
  route: string,
  group: string,
): void {
  const groups = heard.get(episodeOf(of)) ?? new Map<string, string>()
  heard.set(episodeOf(of), groups.set(route, group))
}

/** A notice that was held for one route and let go is not told again where it was told. */
const KNOWN = 'SELECT route, notice_id FROM delivery_notices WHERE notice_id = ANY($1::uuid[])'

const HEARD = `
  SELECT DISTINCT ON (n.alarm_id, n.episode, n.route) n.alarm_id, n.episode, n.route, d.group_key
  FROM delivery_notices n JOIN deliveries d ON d.id = n.delivery_id
  WHERE n.alarm_id = ANY($1::uuid[]) AND n.type = ANY($2::text[]) AND d.status <> 'empty'
  ORDER BY n.alarm_id, n.episode, n.route, n.seq DESC`

const ASKED = 'jsonb_to_recordset($1::jsonb) AS a(route text, group_key text)'

const OPEN = `
  SELECT d.id, d.route, d.group_key, d.count FROM deliveries d JOIN ${ASKED} USING (route, group_key)
  WHERE d.status = 'gathering' ORDER BY d.id FOR UPDATE OF d`

const LAST = `
  SELECT a.route, a.group_key, (
    SELECT max(d.ended_at) FROM deliveries d
    WHERE d.route = a.route AND d.group_key = a.group_key AND d.status = 'sent') AS ended_at
  FROM ${ASKED}`

/** One that is full waits for nobody. */
const JOIN = `
  UPDATE deliveries d SET count = j.count, status = j.status,
    due_at = CASE WHEN j.status = 'sending' THEN to_timestamp($2 / 1000.0) ELSE d.due_at END
  FROM jsonb_to_recordset($1::jsonb) AS j(id uuid, count integer, status text) WHERE d.id = j.id`

const MAKE = `
  INSERT INTO deliveries (id, route, group_key, status, count, due_at, created_at)
  SELECT id, route, group_key, status, count, to_timestamp(due_ms / 1000.0), to_timestamp($2 / 1000.0)
  FROM jsonb_to_recordset($1::jsonb)
    AS m(id uuid, route text, group_key text, status text, count integer, due_ms double precision)`

const PLACE = `
  INSERT INTO delivery_notices (route, notice_id, delivery_id, type, alarm_id, episode, notice)
  SELECT route, notice_id, delivery_id, type, alarm_id, episode, notice
  FROM jsonb_to_recordset($1::jsonb)
    AS p(route text, notice_id uuid, delivery_id uuid, type text, alarm_id uuid, episode integer, notice jsonb)`
