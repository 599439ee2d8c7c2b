// The command line as one tree.
// Promise: docs/cli.md lists exactly these commands and options.
import { Command, Option } from 'commander'
import { alarmsCommands } from './commands/alarms.ts'
import { breakersCommands } from './commands/breakers.ts'
import { consoleCommand } from './commands/console.ts'
import { describeCommands } from './commands/describe.ts'
import { devCommand } from './commands/dev.ts'
import { doctorCommand } from './commands/doctor.ts'
import { dueCommand } from './commands/due.ts'
import { explainCommand } from './commands/explain.ts'
import { failuresCommand } from './commands/failures.ts'
import { getCommand } from './commands/get.ts'
import { holdsCommands } from './commands/holds.ts'
import { keysCommands } from './commands/keys.ts'
import { machinesCommands } from './commands/machines.ts'
import { maintenanceCommands } from './commands/maintenance.ts'
import { noticesCommands } from './commands/notices.ts'
import { panicsCommands } from './commands/panics.ts'
import { resourceCommands } from './commands/resources.ts'
import { retentionCommands } from './commands/retention.ts'
import { schemaCommands } from './commands/schema.ts'
import { serviceCommands } from './commands/services.ts'
import { taskCommands } from './commands/tasks.ts'
import { waitCommand } from './commands/wait.ts'
import { workersCommand } from './commands/workers.ts'
import type { Door } from './door.ts'

/** Builds the tree; nothing is read or opened before a command runs. */
export function buildProgram(door: Door, version: string): Command {
  const program = new Command('escapement')
    .description('Durable state machines that own real things.')
    .version(version, '-V, --version', 'print the version')
    .option('--app <file>', 'the app file (or ESCAPEMENT_APP)')
    .option('--data-folder <folder>', 'the folder of the embedded database (or ESCAPEMENT_DATA)')
    .addOption(
      new Option('-o, --output <form>', 'how to print')
        .choices(['table', 'wide', 'json'])
        .default('table'),
    )
    .option('--verbose', 'show stacks of errors')
    .helpOption('-h, --help', 'print how a command is used')
    .helpCommand('help [command]', 'print how a command is used')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => door.street.out.write(text),
      // Errors are thrown, and told in one place.
      writeErr: () => {},
    })
  for (const add of COMMANDS) add(program, door)
  return program
}

const COMMANDS: readonly ((program: Command, door: Door) => void)[] = [
  devCommand,
  serviceCommands,
  schemaCommands,
  getCommand,
  describeCommands,
  explainCommand,
  dueCommand,
  workersCommand,
  failuresCommand,
  resourceCommands,
  taskCommands,
  holdsCommands,
  breakersCommands,
  alarmsCommands,
  maintenanceCommands,
  panicsCommands,
  machinesCommands,
  waitCommand,
  noticesCommands,
  retentionCommands,
  keysCommands,
  doctorCommand,
  consoleCommand,
]
