// `escapement console`: a prompt with the app in it.
// Promise: nothing ticks unless asked; `await` works; leaving closes the app. Resources print with
// their secrets masked.
import { type REPLServer, start } from 'node:repl'
import type { Command } from 'commander'
import { type Door, doing, type Opened } from '../door.ts'
import { resourceWord } from '../words.ts'

export function consoleCommand(program: Command, door: Door): void {
  const command = program
    .command('console')
    .description('a prompt with `app`, the resource classes, `find(Class)` and `get("KIND/ID")`')
  doing(command, (_args, options) => door.withApp(options, (opened) => talk(door, opened)))
}

async function talk({ street }: Door, { app, config }: Opened): Promise<void> {
  const { input, out } = street
  const prompt = `escapement ${config.setting} ${config.schema}> `
  const repl = start({ prompt, input, output: out.stream, terminal: input.isTTY && out.isTTY })
  const classes = app.registry.kinds.map(({ name, shape }) => [name, shape])
  Object.assign(repl.context, Object.fromEntries(classes), {
    app,
    find: app.find.bind(app),
    get: (word: string) => {
      const { kind, id } = resourceWord(word)
      return app.getByName(kind, id)
    },
  })
  await ended(repl, street.stopped, inOrder(repl))
}

/**
 * Lines that come at once, from a pipe, wait for one another. Answers a wait for the last of them.
 * A line is done when it answered, or, if it threw, when the prompt is shown again.
 */
function inOrder(repl: REPLServer): () => Promise<void> {
  const evaluate = repl.eval
  const show = repl.displayPrompt
  let last = Promise.resolve()
  let done = () => {}
  const queued: REPLServer['eval'] = (code, context, file, answer) => {
    const turn = () =>
      new Promise<void>((resolve) => {
        done = resolve
        evaluate.call(repl, code, context, file, (error, value) => {
          resolve()
          answer(error, value)
        })
      })
    last = last.then(turn)
  }
  const shown: REPLServer['displayPrompt'] = (preserveCursor) => {
    done()
    show.call(repl, preserveCursor)
  }
  Object.assign(repl, { eval: queued, displayPrompt: shown })
  return () => last
}

async function ended(
  repl: REPLServer,
  stopped: AbortSignal,
  idle: () => Promise<void>,
): Promise<void> {
  await new Promise<void>((resolve) => {
    repl.once('exit', () => resolve())
    stopped.addEventListener('abort', () => repl.close(), { once: true })
  })
  if (!stopped.aborted) await idle()
}
