// The roll: which keys sealed what is in this database, by number and fingerprint.
// Promise: a process with a wrong or a missing key does not start, so it cannot park healthy tasks for
// what it cannot open. Only the newest key of a process enters, for only that one seals.
import type { Runner } from '../lib/database.ts'
import { fault } from '../lib/errors.ts'
import type { Keyring } from '../lib/keyring.ts'

/**
 * Checks a keyring against the roll and enters its newest key.
 * @throws KEY_MISMATCH, KEY_ABSENT
 */
export async function enrol(runner: Runner, keyring: Keyring): Promise<void> {
  await check(runner, keyring)
  const newest = keyring.fingerprints().find(({ id }) => id === keyring.newest)
  await runner.query('INSERT INTO keys (id, fingerprint) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    keyring.newest,
    newest?.fingerprint,
  ])
  // Again, for another process may have entered another key of this number meanwhile.
  await check(runner, keyring)
}

/** Before anything is entered: who is refused must not leave a key that keeps all others out. */
async function check(runner: Runner, keyring: Keyring): Promise<void> {
  const prints = new Map(keyring.fingerprints().map(({ id, fingerprint }) => [id, fingerprint]))
  const { rows } = await runner.query('SELECT id, fingerprint FROM keys ORDER BY id')
  for (const { id, fingerprint } of rows) {
    const ours = prints.get(id)
    if (ours === undefined) throw fault('KEY_ABSENT', { id })
    if (ours !== fingerprint) throw fault('KEY_MISMATCH', { id })
  }
}

/** After everything was sealed again: older keys are off the roll, and may leave the keyring. */
export async function strike(runner: Runner, newest: number): Promise<void> {
  await runner.query('DELETE FROM keys WHERE id < $1', [newest])
}
