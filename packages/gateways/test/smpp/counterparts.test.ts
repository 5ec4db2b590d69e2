import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { freePort, until } from "@heliograph/testkit";
import { afterEach, expect, test } from "vitest";
import type { CallbackItem, Gateway } from "../../src/index.ts";
import { readSmpp } from "../../src/smpp/callbacks.ts";
import { createSmppGateway } from "../../src/smpp/gateway.ts";
import { smppIdKeys } from "../../src/smpp/ids.ts";
import { smppInbound } from "../../src/smpp/inbound.ts";
import { SmppSettings } from "../../src/smpp/settings.ts";
import { attemptOf, configOf, toolsOf } from "../support.ts";
import { python, smpp34Missing } from "./smpp34.ts";

const running: ChildProcess[] = [];
const open: Gateway[] = [];
afterEach(async () => {
  for (const gateway of open.splice(0)) await gateway.close();
  for (const child of running.splice(0)) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
});
const never = new AbortController().signal;

/** A gateway to a centre that is not ours, and what it reads of what comes. */
function gatewayTo(settings: Partial<SmppSettings>, password: string) {
  const items: CallbackItem[] = [];
  const gateway = createSmppGateway({
    config: configOf({ kind: "smpp", environment: "live", timeout_ms: 5_000 }),
    settings: SmppSettings.parse({ host: "127.0.0.1", ...settings }),
    secrets: { password },
    tools: toolsOf({
      received: async ({ contentType, body }) =>
        void items.push(
          ...readSmpp({ url: "", headers: {}, contentType, body, receivedAt: "" }, { name: "one" }),
        ),
    }),
  });
  open.push(gateway);
  return { gateway, items };
}

const missing = smpp34Missing();
if (missing !== undefined) process.stdout.write(`skipped: ${missing}\n`);

const script = `
import asyncio, sys, smpp34
from smpp34 import Esme, SubmitSmEvent, Tlv
async def main():
    server = smpp34.Server("127.0.0.1", int(sys.argv[1])); await server.start(); print("ready", flush=True)
    esme, count = None, 0
    while True:
        event = await server.next()
        if isinstance(event, Esme): esme = event
        elif isinstance(event, SubmitSmEvent):
            count += 1
            print(event.source_addr_ton, event.destination_addr, event.data_coding, event.esm_class, event.short_message.hex(), flush=True)
            if count == 1: event.reject(smpp34.ESME_RTHROTTLED); continue
            if count == 2:
                tlvs = [Tlv(smpp34.TLV_RECEIPTED_MESSAGE_ID, b"a7\\0"), Tlv(smpp34.TLV_MESSAGE_STATE, bytes([2]))]
                await esme.deliver_sm("12345", b"", source_addr="15551234567", esm_class=0x44, tlvs=tlvs)
            event.accept(f"a{count + 5}")
            if count == 2: await esme.deliver_sm("12345", bytes.fromhex("77ed4fe1"), source_addr="15551234567", source_addr_ton=1, data_coding=8)
asyncio.run(main())
`;

test.skipIf(missing !== undefined)(
  "smpp34 throttles, reports before it answers, and a person writes",
  async () => {
    const port = await freePort();
    const child = spawn(python, ["-c", script, String(port)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    running.push(child);
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
    await until(() => lines.includes("ready"));
    const { gateway, items } = gatewayTo({ port, system_id: "h" }, "p");
    expect(await gateway.send(attemptOf("+15551234567", { from: "Shop" }), never)).toMatchObject({
      type: "accepted",
      providerMessageId: "a7",
    });
    await until(() => items.length === 2);
    expect(items).toMatchObject([
      { kind: "report", report: { providerMessageId: "a7", status: "delivered" } },
      { kind: "inbound", from: "+15551234567" },
    ]);
    const [, said] = items as [unknown, Extract<CallbackItem, { kind: "inbound" }>];
    const { raw, contentType } = said;
    expect(smppInbound({ raw, contentType, gateway: { name: "one", channel: "sms" } }).text).toBe(
      "短信",
    );
    expect(lines.slice(1)).toEqual(Array(2).fill("5 15551234567 0 0 48656c6c6f"));
    await gateway.send(attemptOf("+15551234567", { content: { text: "я".repeat(71) } }), never);
    expect(lines.slice(3).map((line) => line.slice(0, 34))).toEqual([
      expect.stringMatching(/^0 15551234567 8 64 050003..0201/),
      expect.stringMatching(/^0 15551234567 8 64 050003..0202/),
    ]);
  },
);

/** The jars of jsmpp-examples and what it needs, in a folder that JSMPP_LIB names. */
const jars = process.env["JSMPP_LIB"];
function jsmppMissing(): string | undefined {
  if (jars === undefined)
    return "JSMPP_LIB names no folder with the jars of org.jsmpp:jsmpp-examples";
  if (!readdirSync(jars).some((name) => name.startsWith("jsmpp-examples")))
    return `no jsmpp-examples in ${jars}`;
  const { error } = spawnSync("java", ["-version"]);
  return error && `there is no Java: ${error.message}`;
}
const noJsmpp = jsmppMissing();
if (noJsmpp !== undefined) process.stdout.write(`skipped: ${noJsmpp}\n`);

test.skipIf(noJsmpp !== undefined)(
  "jsmpp answers with hexadecimal ids and reports with decimal ones, which meet",
  async () => {
    const port = await freePort();
    const flags = ["-Xmx128m", "-XX:+UseSerialGC", `-Djsmpp.simulator.port=${port}`];
    const child = spawn(
      "java",
      [...flags, "-cp", `${jars}/*`, "org.jsmpp.examples.SMPPServerSimulator"],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    running.push(child);
    const lines: string[] = [];
    createInterface({ input: child.stderr }).on("line", (line) => lines.push(line));
    // It talks to one connection at a time: who only knocks keeps the others waiting.
    await until(() => lines.some((line) => line.includes("Listening on port")), {
      timeoutMs: 60_000,
    });
    const settings = { port, system_id: "j", receipt_id: "hex_to_decimal" } as const;
    const { gateway, items } = gatewayTo(settings, "jpwd");
    const text = "Your parcel is on its way. ".repeat(12);
    const sent = await gateway.send(attemptOf("+15551234567", { content: { text } }), never);
    expect(sent.type).toBe("accepted");
    const reports = () => items.filter((item) => item.kind === "report");
    await until(() => reports().length === 3, { timeoutMs: 30_000 });
    const { providerMessageId } = sent as { providerMessageId: string };
    const accepted = smppIdKeys(providerMessageId, "hex_to_decimal").toSorted();
    const reported = reports().flatMap(({ report }) =>
      smppIdKeys(report.providerMessageId, "hex_to_decimal"),
    );
    expect(reported.toSorted()).toEqual(accepted);
    // It greets who binds.
    expect(items.filter(({ kind }) => kind === "inbound").length).toBe(1);
  },
  120_000,
);
