import { inspect } from "node:util";
import type { AnyOptions, Query, Row } from "./calls.ts";
import { follow, head, streamOnce, type FollowOptions } from "./feed.ts";
import { listing } from "./listing.ts";
import type { Operations } from "./made/surface.ts";
import { table } from "./made/table.ts";
import type { LifecycleEvent } from "./made/types.ts";
import { call, outgoing, type Settings } from "./transport.ts";

export type ClientOptions = {
  /** `ak_test_…`, `ak_live_…`, `ak_admin_…`, a session's token, or what gives the one of the moment. `HELIOGRAPH_KEY` when left out. */
  readonly key?: string | (() => string | Promise<string>);
  /** Where the platform is: `https://messages.example.com`. `HELIOGRAPH_URL` when left out. */
  readonly baseUrl?: string;
  /** For a whole call, with its attempts and pauses. */
  readonly timeoutMs?: number;
  /** For one attempt; longer than the longest `wait`. */
  readonly attemptTimeoutMs?: number;
  readonly maxAttempts?: number;
  /** In place of the runtime's own. */
  readonly fetch?: typeof fetch;
};

/** What the document has no operation for. */
type Beyond = {
  readonly events: {
    /** Every event behind `after`, once and in order, for ever. Connects again by itself. */
    follow(options?: FollowOptions): AsyncIterable<LifecycleEvent>;
    /** The `sequence` of the newest event. */
    head(options?: AnyOptions): Promise<number>;
  };
};

/** The client of one key. */
export type Heliograph = Operations & Beyond;

const defaults = { timeoutMs: 90_000, attemptTimeoutMs: 35_000, maxAttempts: 4 };

function settingsOf(given: ClientOptions): Settings {
  const { key = process.env["HELIOGRAPH_KEY"], baseUrl = process.env["HELIOGRAPH_URL"] } = given;
  if (!baseUrl || !URL.canParse(baseUrl))
    throw new TypeError("baseUrl must be the platform's address, or HELIOGRAPH_URL");
  const { username, password, href } = new URL(baseUrl);
  if (username !== "" || password !== "") throw new TypeError("baseUrl must hold no password");
  return {
    baseUrl: href.replace(/\/+$/, "").replace(/\/api\/v1$/, ""),
    key: typeof key === "function" ? key : () => key,
    timeoutMs: given.timeoutMs ?? defaults.timeoutMs,
    attemptTimeoutMs: given.attemptTimeoutMs ?? defaults.attemptTimeoutMs,
    maxAttempts: given.maxAttempts ?? defaults.maxAttempts,
    fetch: given.fetch ?? fetch,
  };
}

const paramsIn = ({ path }: Row): number => path.split("{").length - 1;

function methodOf(settings: Settings, row: Row) {
  const count = paramsIn(row);
  return (...given: readonly unknown[]): unknown => {
    const params = given.slice(0, count);
    const rest = given.slice(count);
    const body = row.body ? rest.shift() : undefined;
    const asked = row.query ? (rest.shift() as Query | undefined) : undefined;
    const options = (rest.shift() ?? {}) as AnyOptions;
    const query = { ...asked, ...options.query };
    if (row.answer === "stream") return streamOnce(settings, row, query, options);
    const read = (after?: string) => {
      const parts = { query: after === undefined ? query : { ...query, after }, body, options };
      return call(settings, outgoing(settings, row, params, parts));
    };
    const isText = "format" in query && query["format"] !== "json";
    if (row.answer === "list" && !isText) return listing(read as Parameters<typeof listing>[0]);
    return read();
  };
}

type Open = { [name: string]: unknown };

/** A client. It holds no connection and no timer while nothing is asked; its key is in no error and no print of it. */
export function heliograph(options: ClientOptions = {}): Heliograph {
  const settings = settingsOf(options);
  const root: Open = {};
  for (const [name, row] of Object.entries(table)) {
    const path = name.split(".");
    let group = root;
    for (const part of path.slice(0, -1)) group = (group[part] ??= {}) as Open;
    group[path.at(-1)!] = methodOf(settings, row);
  }
  const rows = {
    stream: table["events.stream"]!,
    page: table["events.page"]!,
    get: table["eventConsumers.get"]!,
    commit: table["eventConsumers.commit"]!,
  };
  Object.assign(root["events"] as Open, {
    follow: (given: FollowOptions = {}) => follow(settings, rows, given),
    head: (given: AnyOptions = {}) => head(settings, rows.page, given),
  });
  Object.defineProperty(root, inspect.custom, { value: () => `Heliograph ${settings.baseUrl}` });
  return root as unknown as Heliograph;
}
