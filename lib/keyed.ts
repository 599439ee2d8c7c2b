// Keyed: a join that no order of an index is of use to, so that an index on the key answers it.
// Promise: however small the planner believes a table to be, its rows are looked up, and it is not read from end to end.

/**
 * Entries come and go: `dues` was empty when it was last vacuumed, and PostgreSQL takes it for empty until it looks again,
 * a minute later, with a hundred thousand in it. It would rather read such a table along its index, whose order a merge
 * join could use, than look a row up, and again for each row of the other side. No merge join takes this comparison, and
 * without seq scans (`TICKING` in `lib/pool.ts`) the lookup is left, and whatever other condition has an index: one that
 * is not meant to is asked `IS TRUE`. `spec/lib/keyed.spec.ts` finds those that were forgotten.
 * @param key an indexed column
 * @param value what it is to be: a column of the other side
 */
export const keyed = (key: string, value: string): string => `${key} = ANY(ARRAY[${value}])`
