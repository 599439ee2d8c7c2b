#!/usr/bin/env node
// `escapement worker` as a program of its own: a worker, and nothing else.
import { launch } from './launch.js'

await launch('worker')
