// The front door of the models, for plugins and bin. Nothing on this floor imports it.
export { alarm, type RuleOptions, type Standing, type TaskStanding } from './alarm-rule.ts'
export {
  type AlarmChange,
  type AlarmLine,
  Alarms,
  type AlarmsWanted,
} from './alarms.ts'
export { App, type AppDefinition, type AppOptions, type CreateOptions, defineApp } from './app.ts'
export type { Availability, AvailabilityStatus } from './availability.ts'
export type { BreakerMap } from './breakers.ts'
export type { FailureLine, FailuresWanted } from './casebook.ts'
export type { Collection } from './collection.ts'
export { type DeclaredTask, type ExitInput, type TaskOptions, task } from './declared.ts'
export type { AnswerCode, EvidenceCode, Explanation, Finding } from './explanations.ts'
export {
  type Field,
  type FieldMap,
  field,
  type Inputs,
  resourceRef,
  secret,
  type Values,
} from './fields.ts'
export {
  type FieldsOf,
  type Held,
  type Many,
  type ManyTasks,
  Resource,
  type ResourceClass,
  type Self,
  TaskHandle,
  type TasksOf,
  type Where,
} from './handle.ts'
export type { Beginning, HistoryLine, HistoryOptions } from './history.ts'

export type { BreakerStatus, HoldLine, Holds, HoldTarget, ShutOptions } from './holds.ts'
export { type Deletion, life } from './life.ts'
export type { Maintenance, MaintenanceOptions } from './maintenances.ts'
export { migrations } from './migrations/index.ts'
export { Notices } from './notices.ts'
export { Owner, type OwnerTable } from './owner.ts'
export { Panic, type PanicTold } from './panic.ts'
export {
  type PanicLine,
  Panics,
  type PanicsChosen,
  type PanicsDone,
  type PanicsOptions,
  type PanicsWanted,
} from './panics.ts'
export { attach, type Duty, type Place, type Plugin, type Premises } from './plugin.ts'
export type { QuotaOptions } from './quota.ts'
export type { BreakerOptions } from './rating.ts'
export type { Registry } from './registry.ts'
export type { AlarmsOptions } from './repeats.ts'
export type { AlarmOptions, ClearOptions, NoticeOptions } from './signals.ts'
export { type Begun, TaskSnapshot } from './snapshot.ts'
export { type StepFunction, type StepWork, Stop, steps } from './steps.ts'
export type {
  Because,
  Condition,
  DeleteOptions,
  EventInput,
  PauseOptions,
  RunInfo,
  SendOptions,
  Started,
  StartOptions,
  StopOptions,
  Transaction,
  WaitOptions,
} from './verbs.ts'
