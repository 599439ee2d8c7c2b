// The front door of the plugins. Nothing on this floor imports it.
export { type LogOptions, log } from './log.ts'
