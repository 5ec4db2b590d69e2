import type { Page, ReadAllOptions } from "./types.ts";

type SizedPage = Page & { readonly bytes?: number };

/** Consumers that start together drift apart by a few pages; 16 of 500 events keep them together. */
const MAX_PAGES = 16;
/** Pages of unusually large events are not worth keeping. */
const MAX_PAGE_BYTES = 4 * 1_048_576;

export type Pages = {
  readAll(options: ReadAllOptions): Promise<SizedPage>;
  clear(): void;
};

/**
 * Lets consumers that catch up over the same events read and parse them once. Only full pages are kept: events never
 * change, so a full page stays right, while one that reached the end of the log would hide what came after.
 */
export function sharePages(readAll: Pages["readAll"]): Pages {
  const pages = new Map<string, Promise<SizedPage>>();
  return {
    readAll(options) {
      const { after, limit, types } = options;
      const key = `${after} ${limit} ${types?.join("\n") ?? ""}`;
      const known = pages.get(key);
      if (known !== undefined) return known;
      const page = readAll(options);
      pages.set(key, page);
      const forget = () => {
        if (pages.get(key) === page) pages.delete(key);
      };
      page.then(({ events, bytes = 0 }) => {
        if (events.length < limit || bytes > MAX_PAGE_BYTES) forget();
      }, forget);
      if (pages.size > MAX_PAGES) pages.delete(pages.keys().next().value!);
      return page;
    },
    clear: () => pages.clear(),
  };
}
