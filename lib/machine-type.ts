// What the rooms around the machine call by XState's names. Types only, so that nobody imports it for more.
export type {
  AnyStateMachine,
  ContextFrom,
  EmittedFrom,
  EventFrom,
  InputFrom,
  OutputFrom,
  TagsFrom,
} from 'xstate'
