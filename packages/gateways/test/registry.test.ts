import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { validateEvent, readEventFlaw, sealSecret } from "@heliograph/contracts";
import { smtpSink } from "@heliograph/testkit";
import { expect, test } from "vitest";
import {
  configured,
  createGateway,
  declaredGateways,
  GatewayRefused,
  isSameConfig,
  kindOf,
  needsNewConnection,
} from "../src/index.ts";
import { sealedConfig } from "../src/configuration.ts";
import { gatewayKinds } from "../src/registry.ts";
import { attemptOf, configOf, toolsOf } from "./support.ts";

const never = new AbortController().signal;

test("in the sandbox nothing can be made that could reach anybody, and not one byte reaches a real server", async () => {
  const sink = await smtpSink();
  let lines = 0;
  const url = `smtp://${sink.host}:${sink.port}`;
  const tools = toolsOf({
    declaring: { smtpUrls: [url], logGatewayChannels: ["email"] },
    logger: { info: () => lines++ },
  });
  const real = gatewayKinds.filter(({ environments }) => !environments.includes("sandbox"));
  expect(real.map(({ kind }) => kind)).toEqual([
    "smtp",
    "smpp",
    "log",
    "twilio",
    "telegram",
    "whatsapp_cloud",
    "fcm",
    "apns",
    "http",
    "broadcast",
  ]);
  for (const { kind } of real)
    for (const settings of [{}, { smtp_url_index: 0 }, { url }]) {
      const channel = kind === "smpp" || kind === "twilio" ? "sms" : "email";
      const config = configOf({ kind, channel, settings });
      expect(() => createGateway("sandbox", config, tools)).toThrow(GatewayRefused);
      // A live gateway that strays into the sandbox's configuration, and the other way round.
      expect(() => createGateway("sandbox", { ...config, environment: "live" }, tools)).toThrow(
        GatewayRefused,
      );
      expect(() => createGateway("live", config, tools)).toThrow(GatewayRefused);
    }
  const gateway = createGateway("sandbox", configOf({ channel: "email" }), tools);
  expect((await gateway.send(attemptOf("someone@example.com"), never)).type).toBe("accepted");
  expect([sink.messages, lines]).toEqual([[], 0]);
  await sink.close();
});

test("a kind that this release does not know is refused with the gateway's name, and its event is sound", () => {
  const data = { ...configOf({ environment: "live", kind: "pigeon" }), secrets: { key: "v1.x" } };
  const event = { type: "GatewayConfigured", version: 2, data };
  expect([validateEvent(event), readEventFlaw(event)]).toEqual([undefined, undefined]);
  expect(() => createGateway("live", data, toolsOf())).toThrow(/one: .*pigeon/);
});

test("settings and secrets that a kind does not know are refused with the gateway's name", () => {
  const smtp = { environment: "live", kind: "smtp", channel: "email" } as const;
  for (const settings of [
    {},
    { url: "https://mail.example" },
    { url: "smtp://u:secret@mail.example" },
    { url: "smtp://mail.example", colour: "red" },
    { url: "smtp://mail.example", from: "no-reply@127.0.0.1" },
    { url: "smtp://mail.example", reply_to: "nobody" },
    { smtp_url_index: 3 },
  ])
    expect(() => createGateway("live", configOf({ ...smtp, settings }), toolsOf())).toThrow(
      /gateway one: its configuration/,
    );
  const settings = { url: "smtp://mail.example" };
  const unknown = sealedConfig(configOf({ ...smtp, settings }), { pin: "1" }, Buffer.alloc(32, 7));
  expect(() => createGateway("live", unknown, toolsOf())).toThrow(GatewayRefused);
});

test("a configuration is checked when it is made, and what is wrong is named", () => {
  const key = Buffer.alloc(32, 7);
  const url = "smtp://mail.example";
  const smtp = configOf({ environment: "live", kind: "smtp", channel: "email", settings: { url } });
  expect(configured(smtp, { password: "x" }, key).secrets).toEqual({
    password: expect.stringMatching(/^v1\./),
  });
  for (const [changes, secrets, said] of [
    [{ kind: "pigeon" }, {}, "there is no kind of gateway called pigeon"],
    [{ environment: "sandbox" }, {}, "sandbox has no smtp gateways"],
    [{ channel: "sms" }, {}, "smtp does not carry sms"],
    [{ settings: { url, from: "nobody" } }, {}, "settings.from: from must be an address"],
    [{ settings: { url: "x" } }, {}, "settings.url: url must be smtp://"],
    [{}, { pin: "1" }, "secrets.pin: this field does not exist"],
    [{ settings: {} }, {}, "settings.url: is required"],
    [{ settings: { url, pool: "big" } }, {}, "settings.pool: must be an object"],
  ] as const)
    expect(() => configured({ ...smtp, ...changes }, secrets, key)).toThrow(`gateway one: ${said}`);
});

test("credentials are sealed in the event and reach the provider", async () => {
  const sink = await smtpSink({ login: { user: "shop", password: "p@ss:w%rd" } });
  const [declared] = declaredGateways({
    smtpUrls: [`smtp://shop:${encodeURIComponent("p@ss:w%rd")}@${sink.host}:${sink.port}`],
    logGatewayChannels: [],
  }).filter(({ environment }) => environment === "live");
  const { secrets = {}, variable: _, ...given } = declared!;
  const config = configOf({ ...given, weight: 1 });
  const { masterKey } = toolsOf();
  const sealed = sealedConfig(config, secrets, masterKey);
  expect(validateEvent({ type: "GatewayConfigured", version: 2, data: sealed })).toBeUndefined();
  expect(JSON.stringify(sealed)).not.toMatch(/p@ss|p%40ss|w%rd|w%25rd/);
  const gateway = createGateway("live", sealed, toolsOf());
  expect((await gateway.send(attemptOf("ada@example.com"), never)).type).toBe("accepted");
  expect(sink.logins).toEqual([{ user: "shop", password: "p@ss:w%rd" }]);
  await gateway.close();
  await sink.close();
  expect(() => createGateway("live", sealed, toolsOf({ masterKey: Buffer.alloc(32, 8) }))).toThrow(
    GatewayRefused,
  );
});

test("an event of before credentials were sealed is understood: it names an entry of the settings", async () => {
  const sink = await smtpSink();
  const config = configOf({
    environment: "live",
    kind: "smtp",
    channel: "email",
    settings: { smtp_url_index: 1 },
  });
  expect(readEventFlaw({ type: "GatewayConfigured", version: 1, data: config })).toBeUndefined();
  const declaring = {
    smtpUrls: ["smtp://127.0.0.1:1", `smtp://127.0.0.1:${sink.port}/?from=shop@shop.example`],
    logGatewayChannels: [],
  };
  const gateway = createGateway("live", config, toolsOf({ declaring }));
  expect((await gateway.send(attemptOf("ada@example.com"), never)).type).toBe("accepted");
  expect(sink.messages).toMatchObject([{ from: "shop@shop.example" }]);
  await gateway.close();
  await sink.close();
});

test("a configuration is the same whatever its secrets are sealed to, and another with another secret or key", () => {
  const key = Buffer.alloc(32, 7);
  const config = configOf();
  const stored = sealedConfig(config, { password: "a" }, key);
  expect(stored).not.toEqual(sealedConfig(config, { password: "a" }, key));
  expect(isSameConfig(stored, config, { password: "a" }, key)).toBe(true);
  expect(isSameConfig(stored, config, { password: "b" }, key)).toBe(false);
  expect(isSameConfig(stored, config, {}, key)).toBe(false);
  expect(isSameConfig(stored, { ...config, weight: 2 }, { password: "a" }, key)).toBe(false);
  expect(isSameConfig(stored, config, { password: "a" }, Buffer.alloc(32, 8))).toBe(false);
  expect(isSameConfig(config, config, {}, key)).toBe(true);
});

test("a connection is made anew for what it was built from, and for nothing else", () => {
  const smtp = configOf({ kind: "smtp", channel: "email", settings: { url: "smtp://a" } });
  for (const [changes, anew] of [
    [{ weight: 5, max_per_second: 3, on_uncertain: "at_least_once" }, false],
    [{ max_concurrent: 5 }, true],
    [{ timeout_ms: 500 }, true],
    [{ settings: { url: "smtp://b" } }, true],
    [{ secrets: { password: sealSecret(Buffer.alloc(32), "x") } }, true],
    [{ channel: "sms" }, true],
    [{ kind: "log" }, true],
  ] as const)
    expect([changes, needsNewConnection(smtp, { ...smtp, ...changes })]).toEqual([changes, anew]);
  expect(needsNewConnection(configOf(), configOf({ max_concurrent: 5, timeout_ms: 500 }))).toBe(
    false,
  );
});

test("the log gateway accepts, writes one line, and keeps content and recipient to itself", async () => {
  const lines: object[] = [];
  const config = configOf({ environment: "live", kind: "log" });
  const gateway = createGateway(
    "live",
    config,
    toolsOf({ logger: { info: (fields) => lines.push(fields) } }),
  );
  for (const to of ["+15550000003", "ada.lovelace@example.com"])
    await gateway.send(attemptOf(to, { content: { text: "code 123456" } }), never);
  expect(lines).toMatchObject([{ to: "…03" }, { to: "…ce@example.com" }]);
  expect(JSON.stringify(lines)).not.toMatch(/code 123456|1555000|lovelace/);
  await gateway.close();
});

test("the simulator writes down what media it was given, and not the links to them", async () => {
  const lines: object[] = [];
  const tools = toolsOf({ logger: { info: (fields) => lines.push(fields) } });
  const gateway = createGateway("sandbox", configOf(), tools);
  const media = [{ url: "https://api.example/secret", type: "image/png", bytes: 9 }];
  const sent = await gateway.send(attemptOf("+15550000001", { media }), never);
  expect(sent.type).toBe("accepted");
  await gateway.send(attemptOf("+15550000001"), never);
  expect(lines).toMatchObject([{ media: [{ type: "image/png", bytes: 9 }] }]);
  expect(JSON.stringify(lines)).not.toContain("secret");
  await gateway.close();
});

test("every kind names only errors that an event can carry", () => {
  for (const { kind, errors } of gatewayKinds)
    for (const [code, error] of Object.entries(errors)) {
      const data = {
        message_id: "msg_1",
        attempt: 1,
        attempt_id: "atp_1",
        gateway: kind,
        choice: { reason: "" },
        error: { code, ...error },
        next: "retry",
        reason: "",
      };
      expect(validateEvent({ type: "DispatchAttemptFailed", data })).toBeUndefined();
    }
  expect(kindOf(configOf()).kind).toBe("simulator");
});

test("no other source decides by a kind's name", () => {
  const root = new URL("../../../", import.meta.url);
  // `log` is what the event log is called too, `http` what much else is, and `telegram` and `broadcast` are channels.
  const others = /^(log|http|telegram|broadcast)$/;
  const names = gatewayKinds.map(({ kind }) => kind).filter((kind) => !others.test(kind));
  const literal = new RegExp(`["'\`](${names.join("|")})["'\`]`);
  const naming = globSync(["packages/*/src/**/*.ts", "services/*/src/**/*.ts"], {
    cwd: fileURLToPath(root),
  })
    .filter((path) => !path.startsWith("packages/gateways/"))
    .filter((path) => literal.test(readFileSync(new URL(path, root), "utf8")));
  expect(naming.toSorted()).toEqual([
    // Examples in the OpenAPI document: of a field, and of a request that is taken as it stands.
    "packages/api/src/openapi-schema-fields.ts",
    "packages/contracts/src/events/earlier.ts",
    "services/control/src/api/gateway-schema.ts",
  ]);
});
