#!/usr/bin/env node
// `escapement teardown` as a program of its own: drops the schemas.
import { launch } from './launch.js'

await launch('teardown')
