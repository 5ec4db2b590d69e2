import { freePort, smtpSink, until, type SmtpBehaviour } from "@heliograph/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  createGateway,
  kindOf,
  type Gateway,
  type GatewayConfig,
  type SendResult,
} from "../src/index.ts";
import { gatewayKinds } from "../src/registry.ts";
import { attemptOf, configOf, toolsOf } from "./support.ts";

/** What a provider can do to us. */
type Weather =
  | "accept"
  /** Refuses for good. */
  | "reject"
  /** Refuses for now. */
  | "throttle"
  /** Takes the message and does not answer. */
  | "hang"
  /** Takes the message, and its answer is lost. */
  | "lost answer"
  /** Answers what is no answer. */
  | "garbage"
  | "away";

/** A provider of one kind that runs, and can be told how to behave. */
type Provider = {
  readonly config: Partial<GatewayConfig>;
  /** The recipient of the next messages. Undefined: the kind cannot come to that. */
  weather(weather: Weather): string | undefined;
  /** References of the messages that it took, a repeated one as often as it was taken; undefined where there is nothing to look into. */
  taken(): readonly string[] | undefined;
  close(): Promise<void>;
};

const mail: Readonly<Record<Exclude<Weather, "away">, SmtpBehaviour>> = {
  accept: { type: "accept" },
  reject: { type: "reject-recipient", code: 550 },
  throttle: { type: "busy" },
  hang: { type: "hang" },
  "lost answer": { type: "close-before-reply" },
  garbage: { type: "garbage" },
};
/** Each kind's provider: a program where there is one to be had. A kind without one fails the suite. */
const providers: Readonly<Record<string, () => Promise<Provider>>> = {
  async smtp() {
    const sink = await smtpSink();
    const away = await freePort();
    const config = {
      environment: "live" as const,
      channel: "email" as const,
      settings: { url: `smtp://127.0.0.1:${sink.port}`, from: "shop@shop.example" },
    };
    return {
      config,
      weather(weather) {
        if (weather === "away") config.settings.url = `smtp://127.0.0.1:${away}`;
        else sink.behave(mail[weather]);
        return "ada@example.com";
      },
      taken: () => sink.messages.map(({ raw }) => /^Message-ID: (.*)$/m.exec(raw)![1]!),
      close: () => sink.close(),
    };
  },
  async simulator() {
    const digits: Partial<Record<Weather, string>> = {
      accept: "0001",
      reject: "0003",
      throttle: "0005",
      hang: "0008",
      "lost answer": "0012",
    };
    return {
      config: { environment: "sandbox", channel: "sms" },
      weather: (weather) => digits[weather] && `+1555000${digits[weather]}`,
      taken: () => undefined,
      close: async () => undefined,
    };
  },
  async log() {
    return {
      config: { environment: "live", channel: "sms" },
      weather: (weather) => (weather === "accept" ? "+15550000001" : undefined),
      taken: () => undefined,
      close: async () => undefined,
    };
  },
};

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
  function connect(): Gateway {
    const config = configOf({ kind, ...provider.config });
    const gateway = createGateway(config.environment, config, toolsOf());
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
      expect(result).toMatchObject({ type: "rejected", error: { permanent } });
      declared(result);
      expect(provider.taken() ?? []).toEqual([]);
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
    const to = provider.weather("accept")!;
    const gateway = connect();
    const ids: string[] = [];
    for (const number of [1, 1, 2]) {
      const result = await gateway.send(attempt(to, number), never);
      if (result.type !== "accepted") throw new Error(result.type);
      ids.push(result.providerMessageId);
    }
    for (const references of [ids, provider.taken() ?? ids]) {
      expect(references[1]).toBe(references[0]);
      expect(references[2]).not.toBe(references[0]);
    }
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
});
