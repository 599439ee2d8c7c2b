// The shape of a resource class: its static side, as the house reads it.
import { isQueueName } from '../lib/config.ts'
import { fault } from '../lib/errors.ts'
import type { AnyStateMachine } from '../lib/machine.ts'
import type { Labels } from '../lib/notice.ts'
import type { RuleMap } from './alarm-rule.ts'
import type { Declaration } from './declared.ts'
import type { FieldMap, FieldSet } from './fields.ts'
import type { QuotaOptions } from './quota.ts'

export type TaskMap = Readonly<Record<string, Declaration>>

/** What the house reads of a resource class: its static side. */
export interface ResourceShape {
  readonly name: string
  readonly kind?: string
  readonly was?: readonly string[]
  readonly fields: FieldMap
  readonly tasks: TaskMap
  readonly alarms?: RuleMap
  readonly labels?: Labels
  readonly tenant?: string
  readonly quota?: QuotaOptions
  readonly queue?: string
  readonly life: AnyStateMachine
  readonly exit?: AnyStateMachine
  readonly prototype: object
}

/** Static maps of the class and of all it extends, the nearest winning. */
export function inherited<K extends 'fields' | 'tasks' | 'alarms' | 'labels'>(
  shape: ResourceShape,
  what: K,
): NonNullable<ResourceShape[K]> {
  const above = Object.getPrototypeOf(shape)
  const own = Object.hasOwn(shape, what) ? shape[what] : {}
  const all =
    typeof above === 'function' && what in above ? { ...inherited(above, what), ...own } : own
  return (all ?? {}) as NonNullable<ResourceShape[K]>
}

/** A getter is one of ours, made when a class was registered before; a method or a value is the user's. */
export function ownMethod(prototype: object, name: string): boolean {
  for (
    let at: object | null = prototype;
    at && at !== Object.prototype;
    at = Object.getPrototypeOf(at)
  ) {
    const found = Object.getOwnPropertyDescriptor(at, name)
    if (found) return !found.get
  }
  return false
}

/**
 * The field that names the tenant.
 * @throws TENANT_INVALID for one that is none, or that nobody is to read
 */
export function tenantOf(kind: string, { tenant }: ResourceShape, fields: FieldSet): string | null {
  if (tenant === undefined) return null
  const reason = !fields.names.includes(tenant)
    ? 'it is no field of it'
    : fields.isSecret(tenant)
      ? 'it is secret, and a tenant is shown to whoever operates the house'
      : null
  if (reason !== null) throw fault('TENANT_INVALID', { kind, tenant, reason })
  return tenant
}

/** Said of what makes a resource due, so that its ticket travels on the queue of its kind. */
export interface Route {
  readonly queue?: string
}

/** The queue a class names; nothing when its tickets travel on the house's. @throws QUEUE_INVALID */
export function routeOf(kind: string, { queue }: ResourceShape): Route {
  if (queue === undefined) return {}
  if (isQueueName(queue)) return { queue }
  const reason = 'it is not a name of small letters, digits and underscores'
  throw fault('QUEUE_INVALID', { kind, queue: JSON.stringify(queue), reason })
}
