// The front door of the models, for plugins and bin. Nothing on this floor imports it.
export { App, type AppDefinition, type AppOptions, type CreateOptions, defineApp } from './app.ts'
export type { Availability, AvailabilityStatus } from './availability.ts'
export type { Collection } from './collection.ts'
export { type DeclaredTask, type ExitInput, type TaskOptions, task } from './declared.ts'
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
export type { FailureLine, HistoryLine, HistoryOptions } from './history.ts'
export { type Deletion, life } from './life.ts'
export { migrations } from './migrations/0001_house.ts'
export { Owner, type OwnerTable } from './owner.ts'
export { attach, type Plugin } from './plugin.ts'
export { type Begun, TaskSnapshot } from './snapshot.ts'
export { type StepFunction, type StepWork, Stop, steps } from './steps.ts'
export type {
  Because,
  Condition,
  DeleteOptions,
  EventInput,
  RunInfo,
  SendOptions,
  Started,
  StartOptions,
  StopOptions,
  Transaction,
  WaitOptions,
} from './verbs.ts'
