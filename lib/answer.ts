// The answer of a database server, when it is an error: its own word, or the silence of one that is gone.
// Promise: only what the server itself said counts as "not committed".

/** COMMIT was sent and its answer never came: the work may or may not be done. */
export class CommitUnknown extends Error {
  override readonly name = 'CommitUnknown'
}

/** Did the server itself answer with an error (so that it surely did not commit)? */
export function isServerSaid(thrown: unknown): boolean {
  const { code, severity } = thrown as { code?: string; severity?: string }
  return (
    severity !== undefined &&
    code !== undefined &&
    !code.startsWith('57P') &&
    !code.startsWith('08')
  )
}

/** Did the server refuse to wait any longer for a lock? Then the statement was not carried out. */
export function isLocked(thrown: unknown): boolean {
  return (thrown as { code?: string }).code === '55P03'
}

const UNREACHABLE =
  /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|ETIMEDOUT|EPIPE|EAI_AGAIN|ENOENT|57P0[123]|08...|53300|28...|3D000)$/

/** Was there nobody to answer, or nobody who would? */
export function isUnreachable(error: Error & { code?: string }): boolean {
  if (error.code && UNREACHABLE.test(error.code)) return true
  return /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/.test(
    error.message,
  )
}

/** An AggregateError (both IPv4 and IPv6 refused) has no message of its own. */
export function reasonOf(error: Error & { code?: string }): string {
  return error.message || error.code || 'no answer'
}
