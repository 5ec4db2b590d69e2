import type { Region } from "./region.ts";
import { concerns, type Happened } from "./topic.ts";
import type { Tab } from "./tab.ts";

/** A page is made again at most so often. */
const paceMs = 1_000;
/** What is told in the feed may reach another list a moment later: then it is looked at once more. */
const settleMs = 1_500;
const tickMs = 2_000;

export type Rendered = { readonly csrf: string; readonly regions: readonly Region[] };

/** One page as one agent sees it, and all the tabs that show it: made once for all of them. */
export type View = {
  readonly tabs: Set<Tab>;
  /** Where nothing may have been missed since `at`, the tab has what there is. */
  join(tab: Tab, missed: boolean): void;
  happened(what: Happened): void;
  on(): ReadonlySet<string>;
  close(): void;
};

/** Makes the page with one of the tabs; rejects where that cannot be. */
export type Render = (tabs: ReadonlySet<Tab>) => Promise<Rendered | undefined>;
type Made = { readonly on: ReadonlySet<string>; readonly render: Render };

/** A form's key is another one each time that it is made: no reason to show it again. */
const bare = (text: string): string => text.replaceAll(/name="key" value="[^"]*"/g, "");

type Telling = {
  readonly tabs: ReadonlySet<Tab>;
  /** They may have missed something: they get every region. */
  readonly behind: Set<Tab>;
  /** What was told last of each region. */
  readonly shown: Map<string, string>;
};

/** Tells `all` everything and the rest what is another than before, each with its own session's token; who joined meanwhile waits for the next. */
function tell(
  { tabs, behind, shown }: Telling,
  { csrf, regions }: Rendered,
  all: ReadonlySet<Tab>,
  at: number,
): void {
  const changed = regions.filter(({ id, text }) => shown.get(id) !== bare(text));
  for (const { id, text } of changed) shown.set(id, bare(text));
  const texts = new Map<string, string>();
  const write = (which: readonly Region[], name: string, tab: Tab): void => {
    if (which.length === 0) return;
    const key = `${name} ${tab.csrf}`;
    const text =
      texts.get(key) ??
      which
        .map((region) => region.text)
        .join("")
        .replaceAll(csrf, tab.csrf);
    texts.set(key, text);
    tab.show(text, at);
  };
  for (const tab of tabs)
    if (all.has(tab)) write(regions, "all", tab);
    else if (!behind.has(tab)) write(changed, "changed", tab);
  for (const tab of all) behind.delete(tab);
}

export function openView({ on: first, render }: Made): View {
  const tabs = new Set<Tab>();
  const behind = new Set<Tab>();
  const shown = new Map<string, string>();
  let on = first;
  let timer: NodeJS.Timeout | undefined;
  let dueAt = Number.POSITIVE_INFINITY;
  let busy = false;
  let madeAt = -Infinity;
  let closed = false;

  const plan = (inMs: number): void => {
    const at = Math.max(performance.now() + inMs, madeAt + paceMs);
    if (closed || at >= dueAt) return;
    dueAt = at;
    clearTimeout(timer);
    if (!busy) timer = setTimeout(() => void make(), Math.max(0, at - performance.now()));
  };
  const make = async (): Promise<void> => {
    busy = true;
    dueAt = Number.POSITIVE_INFINITY;
    const startedAt = Date.now();
    madeAt = performance.now();
    const all = new Set(behind);
    try {
      const made = await render(tabs);
      if (made !== undefined && !closed) {
        on = new Set(made.regions.flatMap((region) => region.on.split(" ")).filter(Boolean));
        tell({ tabs, behind, shown }, made, all, startedAt);
      }
      if (on.has("tick")) plan(tickMs);
    } catch {
      // The platform is away or refuses: what was seen stays, and is read again.
      plan(tickMs * 2);
    } finally {
      busy = false;
      if (dueAt < Number.POSITIVE_INFINITY && !closed) {
        const at = dueAt;
        dueAt = Number.POSITIVE_INFINITY;
        plan(at - performance.now());
      }
    }
  };
  if (on.has("tick")) plan(tickMs);
  return {
    tabs,
    on: () => on,
    join(tab, missed) {
      tabs.add(tab);
      if (!missed) return;
      behind.add(tab);
      plan(0);
    },
    happened({ all, events }) {
      if (!all && !events.some((event) => concerns(on, event))) return;
      plan(0);
      setTimeout(() => plan(0), settleMs).unref();
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
