// The command line as one tree.
// Promise: docs/cli.md lists exactly these commands and options.
import { Command, Option } from 'commander'
import { consoleCommand } from './commands/console.ts'
import { describeCommands } from './commands/describe.ts'
import { devCommand } from './commands/dev.ts'
import { doctorCommand } from './commands/doctor.ts'
import { getCommand } from './commands/get.ts'
import { keysCommands } from './commands/keys.ts'
import { machinesCommands } from './commands/machines.ts'
import { resourceCommands } from './commands/resources.ts'
import { schemaCommands } from './commands/schema.ts'
import { serviceCommands } from './commands/services.ts'
import { taskCommands } from './commands/tasks.ts'
import { waitCommand } from './commands/wait.ts'
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
  resourceCommands,
  taskCommands,
  machinesCommands,
  waitCommand,
  keysCommands,
  doctorCommand,
  consoleCommand,
]
