import type { EventLog } from "@heliograph/log";
import type { World } from "@heliograph/testkit/world";
import type { Logger } from "pino";
import { startIngress } from "../src/index.ts";

export const sms = { channel: "sms", to: "+15551230001", text: "Hello" };

/** A log whose appends the test may change; everything else is the log's own. */
function wrap(log: EventLog, append: EventLog["append"]): EventLog {
  return new Proxy(log, {
    get: (target, name) => {
      if (name === "append") return append;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Another ingress on the world's databases, with appends and a back-pressure of the sandbox that the test changes. */
export async function ingressOn(
  world: World,
  append: (log: EventLog) => EventLog["append"],
  logger?: Logger,
  pressure?: () => Promise<void> | undefined,
) {
  const { contexts, ...platform } = world.platform;
  const { log } = contexts.sandbox;
  const ingress = await startIngress({
    ...platform,
    ...(logger !== undefined && { logger }),
    environments: {
      ...contexts,
      sandbox: {
        ...contexts.sandbox,
        log: wrap(log, append(log)),
        ...(pressure !== undefined && { pressure }),
      },
    },
  });
  return {
    stop: () => ingress.stop(),
    post: async (key: string, at: string, body: object, headers = {}) => {
      const answer = await fetch(`http://127.0.0.1:${ingress.port}${at}`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${key}`,
          "content-type": "application/json",
          ...headers,
        },
        body: JSON.stringify(body),
      });
      // oxlint-disable-next-line typescript/no-explicit-any -- an answer of any route
      return { status: answer.status, headers: answer.headers, body: (await answer.json()) as any };
    },
  };
}
