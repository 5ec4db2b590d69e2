import { service as contacts } from "@heliograph/contacts";
import { streamOf, type EventType } from "@heliograph/contracts";
import { service as control } from "@heliograph/control";
import { service as delivery } from "@heliograph/delivery";
import { service as dispatch } from "@heliograph/dispatch";
import { service as inbound } from "@heliograph/inbound";
import { smscDouble, until, type SmscDouble } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { service as wallet } from "@heliograph/wallet";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { service as ingress } from "../src/index.ts";

let world: World;
let smsc: SmscDouble;
let key: string;
let admin: string;
beforeAll(async () => {
  smsc = await smscDouble({ idOf: (count) => (0xa0 + count).toString(16).padStart(8, "0") });
  world = await openWorld({
    services: [ingress, wallet, dispatch, delivery, inbound, contacts, control],
    consumers: "run",
    env: { HELIOGRAPH_RETRY_SCALE: "0.005" },
  });
  const { id: partner } = await world.addPartner();
  await world.fund(partner, "1000", "live");
  key = await world.addKey(partner, { environment: "live" });
  admin = await world.addKey(partner, { environment: "live", scopes: ["admin"] });
  await world.call("POST", "/api/v1/admin/gateways", {
    key: admin,
    body: {
      name: "carrier-1",
      channel: "sms",
      kind: "smpp",
      partner_id: partner,
      settings: {
        host: smsc.host,
        port: smsc.port,
        system_id: "heliograph",
        binds: 2,
        receipt_id: "hex_to_decimal",
        national: ["turkish"],
      },
      secrets: { password: "secret" },
    },
  });
  // Nothing was sent yet: it is bound all the same, because people may write.
  await until(() => smsc.bound.length === 2);
}, 60_000);
beforeEach(() => smsc.behave(() => ({ type: "accept" })));
afterAll(async () => {
  await world.close();
  await smsc.close();
});

const log = () => world.platform.contexts.live.log;
const typesOf = async (id: string): Promise<readonly string[]> =>
  (await log().readStream(streamOf("message", id))).map(({ type }) => type);
const comes = (id: string, type: EventType) =>
  until(async () => (await typesOf(id)).includes(type), { timeoutMs: 20_000 });
const settled = async (id: string, receipts: number): Promise<void> => {
  await until(async () => (await log().readStream(streamOf("receipts", id))).length === receipts);
};
async function text(to: string, said: string) {
  const body = { channel: "sms", to, text: said };
  const answer = await world.call("POST", "/api/v1/messages", { key, body });
  expect(answer.status).toBe(202);
  const { id, segments } = answer.body as { id: string; segments: { count: number } };
  return { id, count: segments.count };
}
const submitsTo = (to: string) =>
  smsc.submits.filter(({ destination }) => destination.address === to.slice(1));
/** In decimal, as this centre reports, the id that it gave in hexadecimal. */
const report = (hex: string, word: string) =>
  smsc.deliver({
    from: "1",
    to: "2",
    esmClass: 4,
    message: Buffer.from(`id:${Number.parseInt(hex, 16)} stat:${word} err:001`),
  });

test("a text is counted as its gateway submits it, with national tables only while all that may carry it send them", async () => {
  const said = `Siparişiniz yola çıktı. ${"Teşekkür ederiz, iyi günler dileriz. ".repeat(4)}`;
  const first = await text("+905551230001", said);
  await comes(first.id, "MessageSent");
  expect([first.count, submitsTo("+905551230001").length]).toEqual([2, 2]);
  const plain = { name: "plain", channel: "sms", kind: "log", weight: 0 };
  const added = await world.call("POST", "/api/v1/admin/gateways", { key: admin, body: plain });
  const second = await text("+905551230002", said);
  await comes(second.id, "MessageSent");
  expect([second.count, submitsTo("+905551230002").length]).toEqual([3, 3]);
  await world.call("DELETE", `/api/v1/admin/gateways/${added.body.id}`, { key: admin });
});

test("a receipt whose parameter names no message is found by the id in its text, and the parameter counts where it names one", async () => {
  const [one, other] = [await text("+15550000111", "Hi"), await text("+15550000112", "Hi")];
  for (const { id } of [one, other]) await comes(id, "MessageSent");
  const idIn = async (id: string): Promise<string> => {
    const { body } = await world.call("GET", `/api/v1/messages/${id}`, { key });
    return body.provider.message_id;
  };
  const said = (tlv: string, id: string) =>
    smsc.deliver({
      from: "1",
      to: "2",
      esmClass: 4,
      message: Buffer.from(`id:${id} stat:DELIVRD err:000`),
      tlvs: [
        [0x001e, Buffer.from(`${tlv}\0`)],
        [0x0427, Buffer.from([2])],
      ],
    });
  await said("no-message-is-called-this", await idIn(one.id));
  await comes(one.id, "MessageDelivered");
  // Text and parameter name two messages: the other one is delivered.
  await said(await idIn(other.id), await idIn(one.id));
  await comes(other.id, "MessageDelivered");
  expect(await typesOf(one.id)).toContain("MessageDelivered");
  await settled(one.id, 1);
});

test("a long text is as many submits as the 202 counted, and delivered once every part is", async () => {
  const to = "+15550000101";
  const ids: string[] = [];
  smsc.behave(() => {
    const id = `0000c0${ids.length}A`;
    ids.push(id);
    return { type: "accept", id };
  });
  const { id, count } = await text(to, `${"a".repeat(152)}€${"b".repeat(200)}`);
  await comes(id, "MessageSent");
  expect(submitsTo(to).length).toBe(count);
  expect(count).toBe(3);
  for (const [index, part] of ids.entries()) {
    expect(await report(part, "DELIVRD")).toBe(0);
    await settled(id, index + 1);
    if (index < 2) expect(await typesOf(id)).not.toContain("MessageDelivered");
  }
  await comes(id, "MessageDelivered");
  expect(submitsTo(to).every(({ validity }) => /^0000\d{8}000R$/.test(validity))).toBe(true);
});

test("smart encoding is counted in the 202 as it is submitted, and says what it changed", async () => {
  const to = "+15550000113";
  const said = `\u201c${"a".repeat(158)}\u201d`;
  const body = { channel: "sms", to, text: said, smart_encoding: true };
  const answer = await world.call("POST", "/api/v1/messages", { key, body });
  expect([answer.status, answer.body.segments]).toEqual([
    202,
    {
      count: 1,
      encoding: "GSM-7",
      characters: 160,
      replaced: [
        { from: "\u201c", to: '"', count: 1 },
        { from: "\u201d", to: '"', count: 1 },
      ],
    },
  ]);
  await comes(answer.body.id, "MessageSent");
  const [submit, ...others] = submitsTo(to);
  expect([submit!.coding, submit!.message.toString("latin1"), others]).toEqual([
    0,
    `"${"a".repeat(158)}"`,
    [],
  ]);
  expect((await text("+15550000114", said)).count).toBe(3);
});

test("a receipt that overtakes the answer waits for it, and bad news gives the money back", async () => {
  const to = "+15550000102";
  smsc.behave(() => ({ type: "silent" }));
  const { id } = await text(to, "Hello");
  const submit = await until(() => submitsTo(to)[0]);
  expect(await report("d1", "UNDELIV")).toBe(0);
  smsc.answer(submit, "000000D1");
  await comes(id, "MessageFailed");
  const failed = (await log().readStream(streamOf("message", id))).find(
    ({ type }) => type === "DeliveryFailed",
  );
  expect(failed!.data).toMatchObject({
    error: { code: "undelivered", provider: { name: "carrier-1", code: "001", text: "UNDELIV" } },
  });
});

/** A part of a text from a person, with a user data header. */
/** Of the parts of one message each comes over another bind. */
const part = (reference: number, total: number, number: number, said: string) =>
  smsc.deliver(
    {
      from: "15557654321",
      to: "12345",
      esmClass: 0x40,
      message: Buffer.concat([Buffer.from([5, 0, 3, reference, total, number]), Buffer.from(said)]),
    },
    smsc.bound[number % 2],
  );
/** What people wrote, as it was matched to a contact. */
async function written(): Promise<readonly string[]> {
  const { events } = await log().readAll({ after: 0n, limit: 1_000, types: ["InboundMatched"] });
  const { vault } = world.platform.contexts.live;
  return Promise.all(
    events.map(async ({ data, metadata }) => {
      const { text: said } = (await vault.open(metadata.partner, data))(data);
      return said!;
    }),
  );
}

test("what a person writes in parts is one message, over whatever binds they came, first or twice; a lone part is told after a time", async () => {
  expect(await part(0, 3, 3, "parcel?")).toBe(0);
  expect(await part(0, 3, 1, "Where is ")).toBe(0);
  expect(await part(0, 3, 1, "Where is ")).toBe(0);
  expect(await part(0, 3, 2, "my ")).toBe(0);
  await until(async () => (await written()).length === 1);
  expect(await part(0, 3, 2, "my ")).toBe(0);
  expect(await part(9, 2, 2, "thanks")).toBe(0);
  await until(async () => (await written()).length === 2);
  expect(await written()).toEqual(["Where is my parcel?", "[…]thanks"]);
  const { events } = await log().readAll({ after: 0n, limit: 1_000, types: ["InboundReceived"] });
  expect(events).toHaveLength(2);
});
