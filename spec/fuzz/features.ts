// What is drawn unless told otherwise: what agrees with XState in every case that was ever drawn.
// Machines that spawn machines (`--features mail,promises,children`) agree in all but about one of a hundred: what is
// left differs in the order in which three actors and more write to each other.
import type { Features } from '../support/charts/shape.ts'

export const DURABLE: Features = { mail: true, promises: true, children: false }
