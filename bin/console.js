#!/usr/bin/env node
// `escapement console` as a program of its own: a prompt with your app in it.
import { launch } from './launch.js'

await launch('console')
