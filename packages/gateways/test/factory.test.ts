import { smtpSink } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { createGateway, createGateways, GatewayRefused } from "../src/index.ts";
import { attemptOf, configOf, toolsOf } from "./support.ts";

test("in the sandbox nothing but a simulator can be made, and not one byte reaches a real server", async () => {
  const sink = await smtpSink();
  let connections = 0;
  const tools = toolsOf({
    smtpUrls: [`smtp://${sink.host}:${sink.port}`],
    logger: { info: () => connections++ },
  });
  for (const kind of ["smtp", "log"] as const) {
    const config = configOf({
      kind,
      channel: "email",
      settings: { smtp_url_index: 0, url: tools.smtpUrls[0] },
    });
    expect(() => createGateway("sandbox", config, tools)).toThrow(GatewayRefused);
    expect(() => createGateways("sandbox", [configOf(), config], tools)).toThrow(/only simulators/);
    // A live gateway that strays into the sandbox's configuration, and the other way round.
    expect(() => createGateway("sandbox", { ...config, environment: "live" }, tools)).toThrow(
      GatewayRefused,
    );
    expect(() => createGateway("live", config, tools)).toThrow(GatewayRefused);
  }
  const gateways = createGateways("sandbox", [configOf({ channel: "email" })], tools);
  expect([...gateways.values()].map(({ kind }) => kind)).toEqual(["simulator"]);
  expect(
    (
      await gateways
        .get("one")!
        .send(attemptOf("someone@example.com"), new AbortController().signal)
    ).type,
  ).toBe("accepted");
  expect(sink.messages).toEqual([]);
  expect(connections).toBe(0);
  await sink.close();
});

test("a disabled gateway is not made, and one without a usable URL is refused with its name", () => {
  const live = { environment: "live", kind: "smtp", channel: "email" } as const;
  expect(createGateways("live", [configOf({ ...live, enabled: false })], toolsOf()).size).toBe(0);
  expect(() =>
    createGateway("live", configOf({ ...live, settings: { smtp_url_index: 3 } }), toolsOf()),
  ).toThrow(/one: .*no entry 3/);
});

test("the log gateway accepts, writes one line, and keeps the content to itself", async () => {
  const lines: object[] = [];
  const config = configOf({ environment: "live", kind: "log" });
  const gateway = createGateway(
    "live",
    config,
    toolsOf({ logger: { info: (fields) => lines.push(fields) } }),
  );
  const result = await gateway.send(
    attemptOf("+15550000003", { content: { text: "code 123456" } }),
    new AbortController().signal,
  );
  expect(result).toMatchObject({ type: "accepted", status: "logged" });
  expect(lines).toHaveLength(1);
  expect(JSON.stringify(lines)).not.toContain("123456");
  await gateway.close();
});
