#!/usr/bin/env node
// `escapement setup` as a program of its own: makes the schemas, and the keys of an embedded folder.
import { launch } from './launch.js'

await launch('setup')
