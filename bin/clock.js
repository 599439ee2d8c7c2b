#!/usr/bin/env node
// `escapement clock` as a program of its own: a clock, and nothing else.
import { launch } from './launch.js'

await launch('clock')
