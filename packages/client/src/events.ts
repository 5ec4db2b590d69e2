import type { EventByType, LifecycleEvent } from "./made/types.ts";

/** Whether an event is of a type, with what its `data` holds. Types come to the platform that this client does not know: they pass through as they came. */
export const isEvent = <Type extends keyof EventByType>(
  event: LifecycleEvent,
  type: Type,
): event is LifecycleEvent & EventByType[Type] => event.type === type;
