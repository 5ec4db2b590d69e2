import type { Service as ConsumingService } from "@heliograph/runtime";
import type { ZodOpenApiPathItemObject } from "zod-openapi";
import type { Call } from "./call.ts";
import type { ApiContext, AuditEntry, KeyRecord } from "./context.ts";
import type { Route } from "./route.ts";
import type { FindSession } from "./session-record.ts";
import type { Web, WebContext } from "./web.ts";

/** What the handlers of a service keep in one process: memory that is kept fresh, writers that gather. */
export type Hosted = {
  /** Told of every call that changes something or was refused; must not throw. `first`: the answer waits until it is written, or cannot be. */
  audited?(entry: AuditEntry, first: boolean): Promise<void> | void;
  /** Told of every call that an API key was right for, `now` in epoch ms; must not throw and not wait. */
  used?(key: KeyRecord, now: number): void;
  /** Finds the session of an access token, in the one service that has sessions. */
  readonly session?: FindSession;
  /** After the last request: writes what waits and ends its subscriptions. */
  close(): Promise<void>;
};

/** Routes that belong together for a reader of the OpenAPI document. */
export type RouteGroup = {
  readonly tag: string;
  readonly description: string;
  readonly routes: readonly Route[];
};

/** A service's part of the REST surface. The tables of routes are there without anything being opened. */
export type Api = {
  readonly groups: readonly RouteGroup[];
  /** OpenAPI's `webhooks`: what an endpoint receives. */
  readonly webhooks?: Readonly<Record<string, ZodOpenApiPathItemObject>>;
  /** Before the first request, in each process that serves the API. */
  readonly open?: (context: ApiContext) => Promise<Hosted>;
};

/** A service with its part of the REST surface and its pages. What each `services/<name>/src/index.ts` exports as `service`. */
export type Service = ConsumingService & {
  readonly api?: Api;
  /** Pages for people, opened before the first request in each process that serves the API. */
  readonly web?: (context: WebContext) => Promise<Web>;
};

export const routesOf = (services: readonly Service[]): readonly Route[] =>
  services.flatMap(({ api }) => (api?.groups ?? []).flatMap(({ routes }) => routes));

/** State that is opened with the API and found again from each of its calls. */
export function hosted<State extends Hosted>(
  start: (context: ApiContext) => Promise<State>,
): {
  readonly open: (context: ApiContext) => Promise<State>;
  readonly of: (call: Pick<Call, "context">) => State;
} {
  const states = new WeakMap<ApiContext, State>();
  return {
    async open(context) {
      const state = await start(context);
      states.set(context, state);
      return state;
    },
    of({ context }) {
      const state = states.get(context);
      if (state === undefined) throw new Error("a route was served before its service was opened");
      return state;
    },
  };
}
