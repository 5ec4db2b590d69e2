import { hash, randomBytes } from "node:crypto";
import {
  type Environment,
  type EventData,
  environments,
  makeKey,
  newId,
  streamOf,
  uuid7,
} from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import { openPlatform } from "@heliograph/platform";
import { newLogger, prepareConsumer, readSettings } from "@heliograph/runtime";
import { openapiCheck, testServer } from "@heliograph/testkit";
import type { Logger } from "pino";
import { openapiDocument, services, startIngress } from "../src/index.ts";

type KeyOptions = {
  readonly environment?: Environment;
  readonly scopes?: readonly string[];
  readonly expires_at?: string;
  readonly allowed_cidrs?: readonly string[];
};
type PartnerOptions = {
  readonly funds?: string;
  readonly rateLimit?: { requests: number; window_seconds: number };
};
export type Answered = {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- an answer of any route
  readonly body: any;
  readonly text: string;
  readonly headers: Headers;
};

/** Every answer of every test is held against the document. */
const check = openapiCheck(openapiDocument());

/** A listening ingress on real databases, with the sandbox's simulator gateways and nothing that dispatches. */
export async function openWorld() {
  const server = await testServer();
  const settings = readSettings(
    {
      HELIOGRAPH_PORT: "0",
      HELIOGRAPH_SHUTDOWN_SECONDS: "5",
      HELIOGRAPH_MASTER_KEY: randomBytes(32).toString("hex"),
    },
    services.map(({ name }) => name),
  );
  const prefix = `${server.namePrefix}w`;
  const platform = await openPlatform(
    settings,
    { config: server.baseConfig, prefix },
    "given",
    newLogger("silent"),
  );
  for (const environment of environments) {
    const context = platform.contexts[environment];
    const consumers = services.flatMap((service) => service.consumers?.(context) ?? []);
    for (const consumer of consumers) await prepareConsumer(context.pool, consumer);
  }
  const deps = { ...platform, environments: platform.contexts };
  let ingress = await startIngress(deps);

  const appendPlatform = async (
    stream: string,
    expected: "no_stream" | "any",
    type: string,
    data: object,
  ): Promise<void> => {
    const [outcome] = await platform.platformLog.append([
      { stream, expected, events: [{ id: uuid7(), type, data, metadata: { actor: "test" } }] },
    ]);
    if (outcome?.kind !== "appended") throw new Error(JSON.stringify(outcome));
    await platform.directory.caughtUp(outcome.position);
  };

  const addKey = async (partner: string, options: KeyOptions = {}): Promise<string> => {
    const environment = options.environment ?? "sandbox";
    const text = makeKey(environment, randomBytes);
    const data: EventData<"KeyIssued"> = {
      key_id: newId("key"),
      partner_id: partner,
      environment,
      name: "test",
      sha256: hash("sha256", text, "hex"),
      prefix: text.slice(0, 12),
      scopes: [...(options.scopes ?? ["*"])],
      ...(options.expires_at !== undefined && { expires_at: options.expires_at }),
      ...(options.allowed_cidrs !== undefined && { allowed_cidrs: [...options.allowed_cidrs] }),
      created_at: new Date().toISOString(),
    };
    await appendPlatform(streamOf("key", data.key_id), "no_stream", "KeyIssued", data);
    return text;
  };

  /** What the wallet would write: the test is the wallet here. */
  const fund = async (
    partner: string,
    available: string,
    environment: Environment = "sandbox",
  ): Promise<void> => {
    await platform.contexts[environment].log.append([
      {
        stream: streamOf("wallet", partner),
        expected: "any",
        events: [
          {
            id: uuid7(),
            type: "FundsToppedUp",
            data: {
              covers: "0",
              available,
              held: "0",
              currency: "USD",
              entries: [{ transaction_id: newId("wtx"), amount: available }],
            },
            metadata: { partner },
          },
        ],
      },
    ]);
  };

  const addPartner = async (options: PartnerOptions = {}): Promise<{ id: string; key: string }> => {
    const id = newId("ptn");
    const data: EventData<"PartnerCreated"> = {
      partner_id: id,
      name: "Test",
      currency: "USD",
      rate_limit: options.rateLimit ?? { requests: 100_000, window_seconds: 1 },
      created_at: new Date().toISOString(),
    };
    await appendPlatform(streamOf("partner", id), "no_stream", "PartnerCreated", data);
    await fund(id, options.funds ?? "1000");
    return { id, key: await addKey(id) };
  };

  const call = async (
    method: string,
    path: string,
    options: {
      key?: string;
      body?: unknown;
      raw?: string | Uint8Array<ArrayBuffer>;
      headers?: Record<string, string>;
    } = {},
  ): Promise<Answered> => {
    const hasBody = options.body !== undefined || options.raw !== undefined;
    const response = await fetch(`http://127.0.0.1:${ingress.port}${path}`, {
      method,
      headers: {
        ...(options.key !== undefined && { authorization: `Bearer ${options.key}` }),
        ...(hasBody && { "content-type": "application/json" }),
        ...options.headers,
      },
      ...(hasBody && { body: options.raw ?? JSON.stringify(options.body) }),
    });
    const text = await response.text();
    check({ method, path, status: response.status, headers: response.headers, text });
    const json = response.headers.get("content-type")?.includes("json") ?? false;
    return {
      status: response.status,
      body: json ? JSON.parse(text) : undefined,
      text,
      headers: response.headers,
    };
  };

  const databaseUrl = new URL(server.baseUrl);
  databaseUrl.pathname = `/${prefix}`;

  return {
    platform,
    /** For a process of its own on the same databases. */
    databaseUrl: databaseUrl.href,
    serverConfig: server.baseConfig,
    get port() {
      return ingress.port;
    },
    addPartner,
    addKey,
    fund,
    appendPlatform,
    call,
    heads: async (): Promise<string> =>
      (await Promise.all(environments.map((name) => platform.contexts[name].log.head()))).join(),
    async restart(): Promise<void> {
      await ingress.stop();
      ingress = await startIngress(deps);
    },
    async close(): Promise<void> {
      await ingress.stop();
      await platform.close();
      await server.dropAll();
    },
  };
}

export type World = Awaited<ReturnType<typeof openWorld>>;
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
