import { streamOf, validateEvent } from "@heliograph/contracts";
import { openDirectory, type Directory, type Gateway } from "../src/directory/directory.ts";
import { openMemoryLog, type EventLog } from "@heliograph/log";
import { readSettings } from "@heliograph/runtime";
import { afterEach, beforeEach, expect, test } from "vitest";
import { seedPlatform } from "../src/seed.ts";

const masterKey = Buffer.alloc(32, 1);
let log: EventLog;
let directory: Directory;
beforeEach(async () => {
  log = openMemoryLog({ validate: validateEvent });
  directory = await openDirectory(log, (event, flaw) => expect.fail(`${event.type}: ${flaw}`));
});
afterEach(async () => {
  await directory.close();
  await log.close();
});

const start = (service: string, env: Readonly<Record<string, string>> = {}): Promise<void> =>
  seedPlatform(log, directory, { ...readSettings(env), services: [service] }, masterKey);
const live = (): readonly string[] =>
  directory
    .gateways("live")
    .filter((gateway) => gateway.enabled)
    .map(({ name }) => name);

/** Configures a gateway as a person or the API would. */
async function configure(gateway: Gateway, actor: string): Promise<void> {
  const stream = streamOf("gateway", gateway.gateway_id);
  const last = (await log.readStream(stream)).at(-1);
  const event = { id: crypto.randomUUID(), type: "GatewayConfigured", version: 2, data: gateway };
  const [outcome] = await log.append([
    {
      stream,
      expected: last?.revision ?? "no_stream",
      events: [{ ...event, metadata: { actor } }],
    },
  ]);
  if (outcome?.kind !== "appended") throw new Error(JSON.stringify(outcome));
  await directory.caughtUp(outcome.position);
}

const mail = { HELIOGRAPH_SMTP_URL: "smtp://one.example", HELIOGRAPH_LOG_GATEWAY_CHANNELS: "sms" };

test("a process with other variables, or with none, turns no gateway off when it starts", async () => {
  await start("dispatch", mail);
  expect(live()).toEqual(["log-sms", "smtp-1"]);
  await start("ingress");
  await start("dispatch");
  await start("dispatch", { HELIOGRAPH_SMTP_URL: "smtp://one.example,smtp://two.example" });
  await start("dispatch", mail);
  expect(live()).toEqual(["log-sms", "smtp-1", "smtp-2"]);
});

test("live gateways are declared by the processes that run dispatch, the simulators by any", async () => {
  await start("ingress", mail);
  expect(directory.gateways("live")).toEqual([]);
  expect(directory.gateways("sandbox").map(({ name }) => name)).toEqual([
    "sim-broadcast",
    "sim-email",
    "sim-push",
    "sim-sms",
    "sim-telegram",
    "sim-whatsapp",
  ]);
});

test("a gateway that no variable stands for stays as it was configured", async () => {
  await start("dispatch", mail);
  const own = { ...directory.gateways("live")[0]!, gateway_id: "gtw_own", name: "own" };
  await configure(own, "operator");
  await start("dispatch", mail);
  await start("ingress");
  expect(directory.gateways("live").find(({ name }) => name === "own")).toEqual(own);
});

test("a declared gateway that a person has changed is theirs from then on", async () => {
  await start("dispatch", mail);
  const smtp = directory.gateways("live", "email")[0]!;
  await configure({ ...smtp, enabled: false }, "operator");
  await start("dispatch", mail);
  expect(directory.gateways("live", "email")[0]).toMatchObject({ name: "smtp-1", enabled: false });
});

test("what an older release disabled by itself is declared again", async () => {
  await start("dispatch", mail);
  await configure({ ...directory.gateways("live", "email")[0]!, enabled: false }, "seed");
  await start("dispatch", mail);
  expect(live()).toEqual(["log-sms", "smtp-1"]);
});

test("a start that declares nothing new appends nothing", async () => {
  await start("dispatch", mail);
  const head = await log.head();
  await start("dispatch", mail);
  await start("ingress");
  expect(await log.head()).toBe(head);
});

test("credentials are sealed in what a start declares, and the next start sees that they are the same", async () => {
  const secret = { HELIOGRAPH_SMTP_URL: "smtp://shop:sesame@one.example/?from=shop@one.example" };
  await start("dispatch", secret);
  const [smtp] = directory.gateways("live", "email");
  expect(smtp!.settings).toEqual({ url: "smtp://shop@one.example/", from: "shop@one.example" });
  expect(
    JSON.stringify(await log.readAll({ after: 0n, limit: 100 }), (_, value) =>
      typeof value === "bigint" ? `${value}` : value,
    ),
  ).not.toContain("sesame");
  const head = await log.head();
  await start("dispatch", secret);
  expect(await log.head()).toBe(head);
  await start("dispatch", {
    HELIOGRAPH_SMTP_URL: "smtp://shop:other@one.example/?from=shop@one.example",
  });
  expect(await log.head()).toBe(head + 1n);
});

test("what an older release declared with the credentials left in the settings is declared again, sealed", async () => {
  await start("dispatch", mail);
  const { secrets: _, ...smtp } = directory.gateways("live", "email")[0]!;
  const stream = streamOf("gateway", smtp.gateway_id);
  const data = { ...smtp, settings: { smtp_url_index: 0 } };
  const event = { id: crypto.randomUUID(), type: "GatewayConfigured", version: 1, data };
  const [outcome] = await log.append([
    { stream, expected: 0, events: [{ ...event, metadata: { actor: "seed" } }] },
  ]);
  if (outcome?.kind !== "appended") throw new Error(JSON.stringify(outcome));
  await directory.caughtUp(outcome.position);
  await start("dispatch", mail);
  expect(directory.gateways("live", "email")[0]!.settings).toEqual({ url: "smtp://one.example" });
});

test("a variable that no gateway can be made of stops the start with its name", async () => {
  for (const url of [`smtp://${"a".repeat(2_000)}`, "smtp://one.example/?from=no-reply@127.0.0.1"])
    await expect(start("dispatch", { HELIOGRAPH_SMTP_URL: url })).rejects.toThrow(
      /^HELIOGRAPH_SMTP_URL: entry 1: /,
    );
});
