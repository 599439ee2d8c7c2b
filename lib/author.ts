// Who did it and why; every change carries them into the history. Types only.
export interface Author {
  readonly actor: string
  readonly reason: string | null
}
