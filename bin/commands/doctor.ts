// `escapement doctor`: is everything in place?
// Promise: changes nothing; shows the configuration in force with secrets masked; ends badly if any
// check failed.
import type { Command } from 'commander'
import type { Config } from '../../lib/config.ts'
import { fault } from '../../lib/errors.ts'
import { examine } from '../checks.ts'
import { type Door, doing } from '../door.ts'
import { table } from '../print.ts'

export function doctorCommand(program: Command, door: Door): void {
  const doctor = program
    .command('doctor')
    .description('check configuration, database, Redis, keys, queue and what is overdue')
  doing(doctor, async (_args, options) => {
    const config = door.config(options)
    const configuration = masked(config)
    const checks = await examine(config, door.street.nodeVersion)
    door.show(options, { configuration, checks }, () =>
      [
        table(['setting', 'value'], Object.entries(configuration)),
        table(
          ['check', 'status', 'detail'],
          checks.map(({ name, status, detail }) => [name, status, detail]),
        ),
      ].join('\n'),
    )
    const failed = checks.filter(({ status }) => status === 'fail').map(({ name }) => name)
    if (failed.length === 0) return
    const names = failed.join(', ')
    throw fault('CHECKS_FAILED', { count: failed.length, all: checks.length, names })
  })
}

/** The configuration in force, by name; keys and passwords out of sight. */
function masked(config: Config): Record<string, unknown> {
  const shown = {
    ...config,
    databaseUrl: withoutLogin(config.databaseUrl),
    redisUrl: withoutLogin(config.redisUrl),
    keys: config.keys === null ? null : '[secret]',
  }
  return Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== null))
}

function withoutLogin(address: string | null): string | null {
  if (address === null) return null
  const url = new URL(address)
  if (url.password) url.password = 'secret'
  for (const name of url.searchParams.keys()) {
    if (/pass|secret|key|token/i.test(name)) url.searchParams.set(name, 'secret')
  }
  return url.href
}
