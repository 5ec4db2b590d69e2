import { randomBytes } from "node:crypto";
import { makeKey, validateEvent } from "@heliograph/contracts";
import { openMemoryLog } from "@heliograph/log";
import { deliverFrame } from "@heliograph/testkit";
import type { Vault } from "@heliograph/vault";
import { expect, test } from "vitest";
import { parseInbound, readCallback, recordCallback, storedCallback } from "../src/index.ts";
import { signer } from "./support.ts";

const lost = makeKey("live", randomBytes);
const shown = lost.slice(0, 12);
/** Where something may count the letters. */
const blanked = shown.padEnd(lost.length, "*");
/** Seals nothing, so that what is stored can be read. */
const vault = {
  name: () => "a".repeat(26),
  seal: async () => (text: string) => text,
} as unknown as Vault;

/** What history has of a callback. */
async function stored(callback: {
  readonly kind: string;
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly contentType: string;
  readonly body: Buffer;
}) {
  const log = openMemoryLog({ validate: validateEvent });
  const gateway = { gateway_id: "gtw_1", name: "one", channel: "sms", ...callback } as const;
  await recordCallback(
    { log, vault },
    { url: "", headers: {}, ...callback, gateway, receivedAt: new Date().toISOString() },
  );
  const { events } = await log.readAll({ after: 0n, limit: 1, types: ["CallbackReceived"] });
  return { gateway, data: events[0]!.data, kept: storedCallback(events[0]!.data) };
}

test("a key of ours in the body, the address or a header of a callback is cut before it is stored", async () => {
  const { data } = await stored({
    kind: "twilio",
    url: `https://in.example/callbacks?key=${lost}`,
    headers: { "x-forwarded-key": `Bearer ${lost}` },
    contentType: "application/x-www-form-urlencoded",
    body: Buffer.from(`Body=${lost}`),
  });
  expect(JSON.stringify(data)).not.toContain(lost);
  expect([data.url, data.headers, data.raw]).toEqual([
    `https://in.example/callbacks?key=${shown}…`,
    JSON.stringify({ "x-forwarded-key": `Bearer ${shown}…` }),
    `Body=${blanked}`,
  ]);
});

test("it is cut from bytes that are no UTF-8, whose other bytes stay what they are", async () => {
  const body = (key: string) => Buffer.from(`Wörter ${key} und Grüße`, "latin1");
  const { data, kept } = await stored({
    kind: "http",
    contentType: "text/plain",
    body: body(lost),
  });
  expect(data.encoding).toBe("base64");
  expect(kept.body).toEqual(body(blanked));
});

test.each([
  ["one byte, and a PDU says how many", 1, Buffer.from(`It is ${lost}`), blanked],
  ["two bytes", 8, Buffer.from(`It is ${lost}`, "utf16le").swap16(), `${shown}…`],
])("it is cut from a text whose letters have %s", async (_, coding, message, left) => {
  const body = deliverFrame(1, { from: "15550000302", to: "12345", message, coding });
  const contentType = "application/smpp; alphabet=gsm; id=1";
  const { gateway, kept } = await stored({ kind: "smpp", contentType, body });
  const [item] = await readCallback(gateway, kept, signer);
  if (item?.kind !== "inbound") throw new Error(JSON.stringify(item));
  expect((await parseInbound("smpp", { ...item, gateway })).text).toBe(`It is ${left}`);
});
