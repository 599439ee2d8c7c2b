// The narrow doors of the database: types only.

/** Something statements can be sent to: the pool, or one transaction. */
export interface Runner {
  query(
    text: string,
    params?: readonly unknown[],
  ): Promise<{ rows: any[]; rowCount: number | null }>
}

/** A text and what it is filled with. */
export type Statement = readonly [text: string, params: readonly unknown[]]

/** Something that takes several statements at once. */
export interface Sequence extends Runner {
  /** Each is a transaction by itself that sees what those before it did; where one waits long for a lock, all go twice. */
  inTurn(statements: readonly Statement[]): Promise<{ rows: any[] }[]>
}
