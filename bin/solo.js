#!/usr/bin/env node
// `escapement solo` as a program of its own: clock and worker in one process.
import { launch } from './launch.js'

await launch('solo')
