// Dressing: an instance of a resource class on a backing, with its fields and tasks as properties.
// Promise: a class is given its properties once, however many instances are made.

import type { Backing } from './handle.ts'
import { BACKING, type Held, type Resource, type ResourceClass, TaskHandle } from './handle.ts'

/** The handle of any task of a held resource by its name, the life and spawned runs too. @throws TASK_UNKNOWN */
export function taskOf(held: Resource, name: string): TaskHandle {
  const backing = held[BACKING]
  return new TaskHandle(backing, backing.kind.runName(name))
}

const dressed = new WeakSet<object>()

/** Makes an instance of a kind on a backing; its class is given its field and task properties once. */
export function hold<C extends ResourceClass = ResourceClass>(backing: Backing): Held<C> {
  const { kind } = backing
  const shape = kind.shape as ResourceClass
  if (!dressed.has(shape)) {
    dressed.add(shape)
    for (const name of kind.fields.names)
      Object.defineProperty(shape.prototype, name, fieldProperty(name))
    for (const name of kind.taskNames)
      Object.defineProperty(shape.prototype, name, taskProperty(name))
  }
  return new shape(backing) as Held<C>
}

function fieldProperty(name: string): PropertyDescriptor & ThisType<Resource> {
  return {
    configurable: true,
    get() {
      return this[BACKING].read(name)
    },
    set(value) {
      this[BACKING].write(name, value)
    },
  }
}

function taskProperty(name: string): PropertyDescriptor & ThisType<Resource> {
  return {
    configurable: true,
    get() {
      return new TaskHandle(this[BACKING], name)
    },
  }
}
