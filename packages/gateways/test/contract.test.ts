import { until } from "@heliograph/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  configured,
  createGateway,
  kindOf,
  readCallback,
  takesCallbacks,
  verifyCallback,
  type CallbackRequest,
  type Gateway,
  type GatewayConfig,
  type SendResult,
} from "../src/index.ts";
import { gatewayKinds } from "../src/registry.ts";
import { providers } from "./providers/index.ts";
import type { Provider, Told, Weather } from "./providers/provider.ts";
import { attemptOf, configOf, signer, toolsOf } from "./support.ts";

test("every kind runs the suite", () => {
  expect(Object.keys(providers).toSorted()).toEqual(
    gatewayKinds.map(({ kind }) => kind).toSorted(),
  );
});

describe.each(gatewayKinds.map(({ kind }) => kind))("a gateway of kind %s", (kind) => {
  let provider: Provider;
  const open: Gateway[] = [];
  beforeEach(async () => {
    provider = await providers[kind]!();
  });
  afterEach(async () => {
    for (const gateway of open.splice(0)) await gateway.close();
    await provider.close();
  });
  const lines: object[] = [];
  const tools = toolsOf({ logger: { info: (...said) => lines.push(said) } });
  const configNow = (): GatewayConfig =>
    configured(configOf({ kind, ...provider.config }), provider.secrets, tools.masterKey);
  function connect(): Gateway {
    const config = configNow();
    const gateway = createGateway(config.environment, config, { ...tools, ...provider.tools });
    open.push(gateway);
    return gateway;
  }
  const attempt = (to: string, number = 1) =>
    attemptOf(to, { attempt: number, content: { subject: "Your order", text: "Hello" } });
  const never = new AbortController().signal;
  /** What comes of an attempt in this weather; undefined where the kind cannot come to it. */
  async function inWeather(weather: Weather): Promise<SendResult | undefined> {
    const to = provider.weather(weather);
    return to === undefined ? undefined : connect().send(attempt(to), never);
  }
  /** Every refusal is one that the kind has declared, with the class and permanence that it has declared. */
  function declared(result: SendResult | undefined): void {
    if (result?.type !== "rejected" && result?.type !== "unavailable") return;
    const { code, class: faultOf, permanent, provider: said } = result.error;
    expect(kindOf(configOf({ kind })).errors[code]).toEqual({ class: faultOf, permanent });
    expect(said?.name).toBeTruthy();
  }

  test("accepts with the provider's id and word, and has the name and kind that it was given", async () => {
    const gateway = connect();
    expect([gateway.name, gateway.kind]).toEqual(["one", kind]);
    const result = await gateway.send(attempt(provider.weather("accept")!), never);
    expect(result).toMatchObject({
      type: "accepted",
      providerMessageId: expect.stringMatching(/./),
      status: expect.stringMatching(/./),
    });
    expect(provider.taken()?.length ?? 1).toBe(1);
  });

  test("tells a refusal for good from one for now", async () => {
    for (const [weather, permanent] of [
      ["reject", true],
      ["throttle", false],
    ] as const) {
      const result = await inWeather(weather);
      if (result === undefined) continue;
      // What is not taken for now may be no attempt either: where the provider only asks to be asked later.
      const types = permanent ? ["rejected"] : ["rejected", "unavailable"];
      expect(types).toContain(result.type);
      expect(result).toMatchObject({ error: { permanent } });
      // Whoever takes no more for now says of whom, so that dispatch knows what rests.
      if (result.type === "unavailable")
        expect(["gateway", "recipient", "unknown"]).toContain(result.throttles);
      declared(result);
      expect(provider.taken() ?? []).toEqual([]);
    }
  });

  test("tells how long it is to be left alone, where the provider says so", async () => {
    const result = await inWeather("wait");
    if (result === undefined) return;
    expect(result).toMatchObject({
      type: "unavailable",
      error: { permanent: false },
      retryAfterMs: 7_000,
    });
    declared(result);
  });

  test("shows its secrets to nobody, however it goes", async () => {
    const seen: unknown[] = [];
    for (const weather of ["accept", "reject", "throttle", "lost answer", "garbage"] as const)
      seen.push(await inWeather(weather));
    seen.push(await inWeather("away"), lines, configNow());
    const text = JSON.stringify(seen);
    for (const secret of Object.values(provider.secrets)) {
      const forms = [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64")];
      for (const form of forms) expect(text).not.toContain(form);
    }
  });

  test("does not answer for a provider that does not: the outcome is uncertain once the caller gives up", async () => {
    const to = provider.weather("hang");
    if (to === undefined) return;
    const caller = new AbortController();
    const late = connect().send(attempt(to), caller.signal);
    if (provider.taken() !== undefined) await until(() => provider.taken()!.length === 1);
    caller.abort();
    expect(await late).toEqual({ type: "uncertain", cause: "timeout" });
    // With nothing left to wait for it is gone.
    await Promise.all(open.splice(0).map((gateway) => gateway.close()));
  });

  test("says that it does not know when the answer is lost, and sends nothing twice by itself", async () => {
    const result = await inWeather("lost answer");
    if (result === undefined) return;
    expect(result.type).toBe("uncertain");
    // What follows goes through, and nothing was repeated before it.
    const to = provider.weather("accept")!;
    expect((await connect().send(attempt(to, 2), never)).type).toBe("accepted");
    expect(provider.taken()?.length ?? 2).toBe(2);
  });

  test("sends the same attempt with the same reference, another with another", async () => {
    if (provider.takesNoReference) return;
    const to = provider.weather("accept")!;
    const gateway = connect();
    const ids: string[] = [];
    for (const number of [1, 1, 2]) {
      const result = await gateway.send(attempt(to, number), never);
      if (result.type !== "accepted") throw new Error(result.type);
      ids.push(result.providerMessageId);
    }
    // Who keeps no reference answers the same attempt with the same id; who does may have an id for every call.
    const references = provider.taken() ?? ids;
    expect(references[1]).toBe(references[0]);
    expect(references[2]).not.toBe(references[0]);
  });

  test("takes garbage for no answer, and does not throw", async () => {
    const result = await inWeather("garbage");
    if (result === undefined) return;
    expect(result.type).toBe("uncertain");
  });

  test("has made no attempt when the provider cannot be reached", async () => {
    const result = await inWeather("away");
    if (result === undefined) return;
    expect(result.type).toBe("unavailable");
    declared(result);
  });

  test("does not begin what its caller has given up already", async () => {
    const to = provider.weather("accept")!;
    const result = await connect().send(attempt(to), AbortSignal.abort());
    declared(result);
    // Where the provider cannot be looked into there is no network either: nothing is begun that could be given up.
    expect(provider.taken() ?? []).toEqual([]);
  });

  test("knows an attempt that it is asked about, or says that it does not", async () => {
    const gateway = connect();
    const { attemptId } = attempt(provider.weather("accept")!);
    expect((await gateway.lookup?.(attemptId, never)) ?? "unknown").toBe("unknown");
  });

  test("has an address to call where the provider calls, and a way to tell who did", () => {
    expect(takesCallbacks(configNow())).toBe(provider.callback !== undefined);
  });

  describe.runIf(kindOf(configOf({ kind })).callbacks?.verify)("called back", () => {
    const named = (): readonly [string, string] => provider.named ?? ["id-1", "id-2"];
    const request = (id: string, told: Told): CallbackRequest => provider.callback!(id, told);
    const verdict = (of: CallbackRequest) =>
      verifyCallback(configNow(), of, tools.masterKey).verdict.kind;
    const read = ({ url, headers, body }: CallbackRequest) =>
      readCallback(
        configNow(),
        {
          url,
          headers,
          body,
          contentType: headers["content-type"] ?? "",
          receivedAt: "2026-05-23T14:22:17Z",
        },
        signer,
      );

    test("believes what is signed, and nothing that was touched", () => {
      const [id, other] = named();
      const genuine = request(id, "delivered");
      expect(verdict(genuine)).toBe("genuine");
      if (provider.proof === "address") return;
      const bare = { ...genuine, headers: { "content-type": genuine.headers["content-type"]! } };
      expect(verdict(bare)).toBe("forged");
      if (provider.proof === "secret") return;
      for (const body of [
        Buffer.concat([genuine.body, Buffer.from("&x=1")]),
        request(other, "delivered").body,
      ])
        expect(verdict({ ...genuine, body })).toBe("forged");
    });

    test("reads what a person wrote, where that is all it tells", async () => {
      if (!provider.confirmsNothing) return;
      expect(await read(request("id-1", "sent"))).toMatchObject([{ kind: "inbound" }]);
    });

    test("reads what is reported, each event of the provider's under one id", async () => {
      if (provider.confirmsNothing) return;
      const ids = new Set<string>();
      const [id] = named();
      const reported = (["sent", "delivered", "undelivered"] as const).filter(
        (told) => provider.words?.[told] !== "nothing",
      );
      for (const told of reported) {
        const [item, ...others] = await read(request(id, told));
        expect(others).toEqual([]);
        expect(item).toMatchObject({
          kind: "report",
          report: { providerMessageId: id, status: provider.words?.[told] ?? told },
        });
        expect(await read(request(id, told))).toEqual([item]);
        if (item?.kind === "report") {
          ids.add(item.report.eventId);
          expect(item.report.eventId.length).toBeLessThanOrEqual(255);
          // Beside a failure alone stands an error, and beside each a reason.
          expect(item.report.error === undefined).toBe(told !== "undelivered");
        }
      }
      expect(ids.size).toBe(reported.length);
    });

    test("says of anything else that it cannot be read, and does not throw", async () => {
      const genuine = request("id-1", "delivered");
      for (const body of ["", "%PDF-1.7", "[[[", "null", "{}", "a=%zz&=", "\u0000"]) {
        const items = await read({ ...genuine, body: Buffer.from(body) });
        expect(items.filter(({ kind: is }) => is === "report" || is === "inbound")).toEqual([]);
      }
    });
  });
});
