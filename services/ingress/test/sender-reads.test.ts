import type { Accepted } from "@heliograph/acceptance";
import { newId, streamOf, uuid5 } from "@heliograph/contracts";
import type { SenderPool } from "@heliograph/domain";
import { type EventLog, openMemoryLog } from "@heliograph/log";
import { expect, test } from "vitest";
import { giveSenders } from "../src/messages/senders.ts";
import type { Sender } from "../src/messages/sender.ts";

const numbers = ["+15550100001", "+15550100002", "+15550100003"];
const pool: SenderPool = {
  pool_id: newId("spl"),
  environment: "sandbox",
  name: "numbers",
  channel: "sms",
  partner_id: newId("ptn"),
  senders: numbers,
  inboxes: numbers,
  default: false,
  configured_at: "2026-01-01T00:00:00.000Z",
};

/** The log, and what is asked of it. */
function counted(): { readonly log: EventLog; readonly asked: string[] } {
  const memory = openMemoryLog();
  const asked: string[] = [];
  const noted = <Name extends "append" | "readStream" | "readStreams">(name: Name) =>
    ((...args: never[]) => {
      asked.push(name);
      return (memory[name] as (...given: never[]) => unknown)(...args);
    }) as EventLog[Name];
  const log = {
    ...memory,
    append: noted("append"),
    readStream: noted("readStream"),
    readStreams: noted("readStreams"),
  };
  return { log, asked };
}

/** As one that was prepared, with the key that it came with. */
function message(to: string, from: string | undefined, key: string | undefined) {
  const data = {
    message_id: newId("msg"),
    channel: "sms",
    to,
    ...(from !== undefined && { from }),
  };
  const accepted = {
    data,
    costMicros: 0n,
    asks: [{ pool, usable: numbers, to, preferred: from }],
  } as unknown as Accepted;
  const append = { stream: streamOf("message", data.message_id), expected: "any", events: [] };
  return { value: { ...accepted, append, fingerprint: key } as never };
}

test("the senders of two hundred messages are three questions to the log, whoever they are for", async () => {
  const { log, asked } = counted();
  const call = {
    deps: { log, vault: { name: (...parts: string[]) => uuid5("name", ...parts).slice(-26) } },
    partner: { partner_id: pool.partner_id },
    metadata: () => ({ actor: "test" }),
    now: () => Date.parse("2026-01-01T00:00:00.000Z"),
  } as unknown as Sender;
  const send = async (prepared: { value: { readonly data: Accepted["data"] } }[]) => {
    asked.length = 0;
    await giveSenders(call, prepared as never);
    return prepared.map(({ value }) => value.data.from);
  };
  const first = () =>
    Array.from({ length: 200 }, (_, index) =>
      message(`+1555123${1000 + index}`, undefined, `key ${index}`),
    );
  const from = await send(first());
  expect(asked).toEqual(["readStreams", "readStreams", "append"]);
  expect(new Set(from)).toEqual(new Set(numbers));
  expect(await send(first())).toEqual(from);
  expect(asked).toEqual(["readStreams"]);
  // Two of one batch that would have another for somebody new: the first is right.
  const both = [numbers[2], numbers[1]].map((number) => message("+15551239999", number, undefined));
  expect(await send(both)).toEqual([numbers[2], numbers[2]]);
});
