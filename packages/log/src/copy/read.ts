import type { Page, Position } from "../types.ts";
import type { CopySource } from "./types.ts";

/** As consumers read: a round trip hardly counts, and two pages of the largest events still fit in memory. */
export const PAGE_EVENTS = 500;

/** Pages up to `head`, the next one read while the last is worked on. The last page has the position `head`. */
export async function* pagesOf(
  source: CopySource,
  options: { readonly after: Position; readonly head: Position; readonly signal: AbortSignal },
): AsyncGenerator<Page> {
  const { head, signal } = options;
  if (options.after >= head) return;
  const read = (after: Position): Promise<Page> => {
    const page = source.readAll({ after, limit: PAGE_EVENTS });
    // It is awaited a page later; until then a failure has nobody who hears it.
    page.catch(() => {});
    return page;
  };
  let next: Promise<Page> | undefined = read(options.after);
  let reached = options.after;
  while (next !== undefined) {
    const page: Page = await next;
    signal.throwIfAborted();
    const done = page.position >= head;
    if (!done && page.position <= reached)
      throw new Error(`reading stands at position ${reached} although the log goes on to ${head}`);
    reached = page.position;
    next = done ? undefined : read(reached);
    const events = done ? page.events.filter((event) => event.position <= head) : page.events;
    yield { events, position: done ? head : reached, head };
  }
}
