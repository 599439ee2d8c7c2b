#!/usr/bin/env node
// The command line: `escapement <command>`. `escapement help` lists the commands.
import { launch } from './launch.js'

await launch()
