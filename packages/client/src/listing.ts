import type { Listing } from "./calls.ts";
import { CursorError, HeliographError } from "./errors.ts";

type Page<Entry> = {
  readonly data: readonly Entry[];
  readonly next_cursor?: string | null;
};

/**
 * A list over `read`, which gives the page behind a cursor. A page may be empty and still lead on; a cursor that comes a second time, at whatever distance,
 * would lead in a circle and throws `CursorError`.
 */
export function listing<Entry, Found extends Page<Entry>>(
  read: (after?: string) => Promise<Found>,
): Listing<Entry, Found> {
  async function* pages(): AsyncGenerator<Found, void, undefined> {
    const seen = new Set<string>();
    let after: string | undefined;
    for (;;) {
      const page = await read(after);
      yield page;
      const next = page.next_cursor ?? undefined;
      if (next === undefined) return;
      if (seen.has(next)) throw new CursorError("The list gave a cursor for a second time.");
      seen.add(next);
      after = next;
    }
  }
  async function* entries(): AsyncGenerator<Entry, void, undefined> {
    for await (const { data } of pages()) yield* data;
  }
  return {
    [Symbol.asyncIterator]: entries,
    page: () => read(),
    pages,
    async all(most) {
      const found: Entry[] = [];
      for await (const entry of entries()) {
        if (found.length === most) throw new HeliographError(`There are more than ${most}.`);
        found.push(entry);
      }
      return found;
    },
  };
}
