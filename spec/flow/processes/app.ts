// The app file the processes of a flow are given: vessels, and a world at the port the environment names.
import { defineApp } from '../../../bin/index.ts'
import { worldAt } from '../../support/sink.ts'
import { vesselTelling } from './workload.ts'

export default defineApp({ resources: [vesselTelling(worldAt(Number(process.env.FLOW_WORLD)))] })
