// What the engine makes durable today, and so what is drawn unless told otherwise.
import type { Features } from '../support/charts/shape.ts'

export const DURABLE: Features = { mail: true, promises: true, children: true }
