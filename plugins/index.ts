// The front door of the plugins. Nothing on this floor imports it.
export { type LogOptions, log } from './log.ts'
export { type Metrics, type MetricsOptions, metrics } from './metrics.ts'
export * from './notifications.ts'
export * from './retention.ts'
