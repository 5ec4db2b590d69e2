import { deterministicId, newId, streamOf, uuid5 } from "@heliograph/contracts";
import { movesOf, receivedFileId } from "@heliograph/gateways";
import { until } from "@heliograph/testkit";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { reachOf } from "../src/address.ts";
import { readAddresses } from "../src/tables/audience.ts";
import { type Written, matchedOf, postInbound } from "./inbound.ts";
import { type Setting, newCrm, newPhone, openSetting, pathOf } from "./setting.ts";

let setting: Setting;
beforeAll(async () => {
  setting = await openSetting({ consumers: "run" });
});
afterAll(() => setting.world.close());

const context = () => setting.world.platform.contexts.sandbox;
const me = (): string => setting.world.partners[0]!.id;
const matched = (inboundId: string) =>
  until(async () => matchedOf(context(), inboundId), { timeoutMs: 15_000 });
const write = async (written: Written, partner: string | undefined = me()) => {
  const { inboundId, messageId } = await postInbound(context(), partner, written);
  return { ...(await matched(inboundId)), messageId };
};

describe("an inbound message", () => {
  it("makes the contact of a sender nobody knows, with the name that the person has there", async () => {
    const phone = newPhone();
    const first = await write({ from: phone.id, profile_name: "Ada", text: "hi" });
    expect(first).toMatchObject({ known: false, from: phone.id, text: "hi", kind: "message" });
    expect(await setting.get(pathOf(phone))).toMatchObject({
      id: first.contact_id,
      name: "Ada",
      external_ids: [phone],
    });
    const second = await write({ from: phone.id, profile_name: "Somebody else" });
    expect(second).toMatchObject({ known: true, contact_id: first.contact_id });
    expect((await setting.get(pathOf(phone)))["name"]).toBe("Ada");
    const [created] = await context().log.readStream(streamOf("contact", first.contact_id!));
    expect(created!.data).toMatchObject({ made_by: "inbound", message_id: first.messageId });
  });

  it.each(["12345", "Vodafone"])(
    "from %s, to which nothing can be sent, is a contact's all the same, who is found by that",
    async (known) => {
      const first = await write({ from: known, text: "Your balance is low" });
      expect(first).toMatchObject({ from: known, external_id: { source: "sms", id: known } });
      const path = pathOf({ source: "sms", id: known });
      expect((await setting.get(path))["id"]).toBe(first.contact_id);
      expect(await write({ from: known })).toMatchObject({
        known: true,
        contact_id: first.contact_id,
      });
      const others = await setting.call("PUT", path, { name: "Me" });
      expect(others.status, "nobody gives a contact such an address").toBe(422);
    },
  );

  it("from what nothing can be sent to takes no address from its contact, for a send nor for a broadcast", async () => {
    const mail = { source: "email", id: "ada@odd.example" };
    const own = await setting.made({ external_ids: [mail] });
    const { contact_id: odd } = await write({ channel: "email", from: "root@localhost" });
    await setting.call("POST", `/contacts/${odd}/merge`, { into: own });
    const { contact_id: named } = await write({ from: "Telekom" });
    const { projectionPool: pool } = context();
    await until(async () => {
      const { rows } = await pool.query(
        "select id from contacts.contacts where (id = $1 and external_ids like '%root@localhost%') or id = $2",
        [own, named],
      );
      return rows.length === 2;
    });
    const [shown] = await readAddresses(pool, me(), "email", [own]);
    const reach = await reachOf({ ...context(), partner: me() }, [own, named!]);
    expect(reach(own, "email")).toEqual({ kind: "reached", to: mail.id });
    expect(shown!.to).toBe(mail.id);
    expect(reach(named!, "sms")).toEqual({ kind: "no_address" });
    const [none] = await readAddresses(pool, me(), "sms", [named!]);
    expect(none!.to).toBeNull();
  });

  it("names every file that came with it, also one that was not kept, by an id that says why", async () => {
    const about = { type: "video/mp4", bytes: 5 };
    const id = newId("att");
    const files = [
      { ...about, attachment_id: id },
      { ...about, not_kept: "no_room" as const },
    ];
    const { inbound_id, media } = await write({ from: newPhone().id, files });
    const ids = [id, receivedFileId(inbound_id!, 1)];
    expect(media).toEqual(
      ids.map((each) => ({ ...about, url: `/api/v1/attachments/${each}`, attachment_id: each })),
    );
  });

  it("is of the contact that was written to, where WhatsApp knows its number in another form", async () => {
    const given = { source: "whatsapp", id: "+5511987650001" };
    const id = await setting.made({ external_ids: [given] });
    const from = "+551187650001";
    expect(await write({ from, channel: "whatsapp" })).toMatchObject({
      known: true,
      contact_id: id,
      from,
    });
    expect(await setting.get(pathOf(given))).toMatchObject({
      id,
      external_ids: [given, { source: "whatsapp", id: from }],
    });
    expect(await write({ from, channel: "whatsapp" })).toMatchObject({ contact_id: id });
    expect(await write({ from: "+551187650001" }), "of SMS it is another").toMatchObject({
      known: false,
    });
  });

  it.each(["number", "user id"])(
    "of one whom WhatsApp names by a number and a user id is one contact's, who came by the %s first",
    async (first) => {
      const [number, user] = first === "number" ? ["4915550031", "US.31"] : ["4915550032", "US.32"];
      let count = 0;
      const posted = (who: object) => {
        const id = `wamid.${user}.${++count}`;
        const message = { id, timestamp: "1700000000", type: "text", text: { body: "Hi" }, ...who };
        const body = { message, metadata: { display_phone_number: "+1 555-010-9999" } };
        const raw = { kind: "whatsapp_cloud", body };
        return write({ channel: "whatsapp", from: "", provider_message_id: id, raw });
      };
      const hidden = { from_user_id: user };
      const shown = { ...hidden, from: number };
      const { contact_id } = await posted(first === "number" ? shown : hidden);
      for (const who of [hidden, shown, hidden])
        expect(await posted(who)).toMatchObject({ known: true, contact_id });
      const { external_ids: ids } = await setting.get(`/contacts/${contact_id}`);
      const known = (ids as readonly { id: string }[]).map(({ id }) => id).toSorted();
      expect(known).toEqual([`+${number}`, user]);
      const reach = await reachOf({ ...context(), partner: me() }, [contact_id!]);
      expect(reach(contact_id!, "whatsapp"), "the number counts").toEqual({
        kind: "reached",
        to: `+${number}`,
      });
      await until(async () => {
        const { projectionPool: pool } = context();
        const [row] = await readAddresses(pool, me(), "whatsapp", [contact_id!]);
        return row?.to === `+${number}`;
      });
    },
  );

  it("of one whose number and user id two contacts have is the number's, and the log says that they are two", async () => {
    const info = vi.spyOn(context().logger, "info");
    const [number, user] = ["4915550033", "US.33"];
    const ids = [`+${number}`, user].map((id) => ({ source: "whatsapp", id }));
    const [own, other] = [
      await setting.made({ external_ids: [ids[0]] }),
      await setting.made({ external_ids: [ids[1]] }),
    ];
    const id = "wamid.33";
    const who = { from: number, from_user_id: user };
    const message = { id, timestamp: "1700000000", type: "text", text: { body: "Hi" }, ...who };
    const body = { message, metadata: { display_phone_number: "+1 555-010-9999" } };
    const raw = { kind: "whatsapp_cloud", body };
    const written = { channel: "whatsapp", from: "", provider_message_id: id, raw } as const;
    expect(await write(written)).toMatchObject({ contact_id: own, from: `+${number}` });
    expect((await setting.get(pathOf(ids[1]!)))["id"], "both stay").toBe(other);
    expect(info).toHaveBeenCalledWith(
      { contact: own, code: "external_id_taken", contact_id: other },
      "the other address of a sender was not added to its contact",
    );
    info.mockRestore();
  });

  it("is of the chat that moved, whose contact keeps both addresses, and goes on in its conversation", async () => {
    const group = (id: number, message_id: number, rest: object) => ({
      channel: "telegram" as const,
      from: String(id),
      provider_message_id: `${id}.${message_id}`,
      raw: {
        kind: "telegram",
        body: { update_id: message_id, message: { message_id, date: 1, chat: { id }, ...rest } },
      },
    });
    const first = await write(group(-55, 1, { text: "hi" }));
    const name = first.external_id!.name;
    const theirs = await write(group(-55, 1, { text: "hi" }), setting.world.partners[1]!.id);
    // Both chats tell of it, and Telegram tells again what it is not sure of.
    for (const told of [
      group(-55, 2, { migrate_to_chat_id: -100_123 }),
      group(-100_123, 3, { migrate_from_chat_id: -55 }),
      group(-55, 2, { migrate_to_chat_id: -100_123 }),
    ])
      await postInbound(context(), me(), told);
    const path = pathOf({ source: "telegram", id: "-100123" });
    // The claim of an id comes before the contact has it.
    await until(async () => {
      const { id, external_ids: ids } = await setting.get(path);
      return id === first.contact_id && (ids as readonly unknown[]).length === 2;
    });
    const kept = (await setting.get(path))["external_ids"] as readonly { id: string }[];
    expect(kept.map((each) => each.id).toSorted()).toEqual(["-100123", "-55"]);
    const next = await write(group(-100_123, 4, { text: "still here" }));
    expect(next).toMatchObject({ known: true, contact_id: first.contact_id, from: "-100123" });
    expect(next.external_id).toEqual({ source: "telegram", id: "-55", name });
    const { log, vault } = context();
    const of = (partner: string, address: string) =>
      movesOf({ log, vault }, { partner, channel: "telegram", address });
    expect((await of(me(), "-55")).now).toBe("-100123");
    const other = setting.world.partners[1]!.id;
    expect((await of(other, "-55")).now, "another partner's").toBe("-55");
    expect(theirs.contact_id).not.toBe(first.contact_id);
    // Whom an erasure forgets leaves no address that leads to the other.
    const erasure = await setting.call("DELETE", `/contacts/${first.contact_id}`);
    expect(erasure.status).toBeLessThan(300);
    await until(async () => (await of(me(), "-55")).now === "-55");
    const { events } = await log.readAll({ after: 0n, limit: 100, types: ["RecipientMoved"] });
    expect(events).toHaveLength(2);
  });

  it("names the pool of its partner's that it was written to", async () => {
    const pool_id = deterministicId("spl", "matching");
    const configured = {
      pool_id,
      environment: "sandbox",
      name: "numbers",
      channel: "sms",
      partner_id: me(),
      senders: ["15550100021"],
      inboxes: ["+15550100021"],
      default: false,
      configured_at: new Date().toISOString(),
    };
    await setting.world.appendPlatform(
      `pool-${pool_id.slice(4)}`,
      "any",
      "SenderPoolConfigured",
      configured,
    );
    const { id: from } = newPhone();
    expect(await write({ from, to: "+15550100021" })).toMatchObject({ pool_id });
    expect(await write({ from, to: "+15550100022" })).not.toHaveProperty("pool_id");
  });

  it("fills an empty name only", async () => {
    const phone = newPhone();
    await setting.made({ external_ids: [phone] });
    expect(
      await write({ from: phone.id, profile_name: "Mallory", unverified: true }),
    ).toMatchObject({ unverified: true });
    expect((await setting.get(pathOf(phone)))["name"], "nobody proved it").toBeNull();
    await write({ from: phone.id, profile_name: "Grace" });
    expect((await setting.get(pathOf(phone)))["name"]).toBe("Grace");
  });

  it("comes to one contact, however many of one new address come at once and however often", async () => {
    const phone = newPhone();
    const posted = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        postInbound(context(), me(), {
          from: phone.id,
          provider_message_id: `${phone.id}-${index % 20}`,
        }),
      ),
    );
    const upserts = await Promise.all(
      Array.from({ length: 8 }, () => setting.call("PUT", pathOf(phone), { tags: ["t"] })),
    );
    expect(upserts.every(({ status }) => status === 200 || status === 201)).toBe(true);
    const ids = new Set(posted.map(({ inboundId }) => inboundId));
    expect(ids.size).toBe(20);
    const found = await Promise.all([...ids].map(matched));
    expect(new Set(found.map(({ contact_id }) => contact_id)).size).toBe(1);
    expect(await setting.get(pathOf(phone))).toMatchObject({
      id: found[0]!.contact_id,
      tags: ["t"],
    });
  });

  it("A merged id stays writable: from a merged contact's number it lands on the survivor", async () => {
    const phone = newPhone();
    const a = await setting.made({ external_ids: [phone] });
    const b = await setting.made({ name: "B" });
    await setting.call("POST", `/contacts/${a}/merge`, { into: b });
    expect(await write({ from: phone.id })).toMatchObject({ known: true, contact_id: b });
  });

  it("The dead come back: after an erasure a late inbound and an upsert find a new contact without any old field", async () => {
    const { call, made, get } = setting;
    const [phone, crm] = [newPhone(), newCrm()];
    const dead = await made({ external_ids: [phone, crm], name: "Dead", tags: ["old"] });
    expect((await call("DELETE", `/contacts/${dead}`)).status).toBe(202);
    const late = await write({ from: phone.id, profile_name: "Alive" });
    expect(late.contact_id).not.toBe(dead);
    expect(late.known).toBe(false);
    expect(await get(pathOf(phone))).toMatchObject({
      id: late.contact_id,
      name: "Alive",
      tags: [],
      external_ids: [phone],
    });
    const upserted = await call("PUT", pathOf(crm), { language: "en" });
    expect([upserted.status, upserted.body]).toMatchObject([201, { name: null, tags: [] }]);
    for (const [method, path, body] of [
      ["GET", `/contacts/${dead}`],
      ["PATCH", `/contacts/${dead}`, { name: "X" }],
      ["POST", `/contacts/${dead}/external-ids`, newCrm()],
      ["POST", `/contacts/${dead}/merge`, { into: late.contact_id }],
      ["POST", `/contacts/${late.contact_id}/merge`, { into: dead }],
    ] as const)
      expect((await call(method, path, body)).body, path).toMatchObject({ code: "contact_erased" });
  });
});

const assign = (gateway_id: string, address: string) =>
  setting.world.appendPlatform(`sender-${uuid5(gateway_id, address)}`, "any", "SenderAssigned", {
    gateway_id,
    address,
    partner_id: me(),
    environment: "sandbox",
    assigned_at: new Date().toISOString(),
  });

describe("whose it is", () => {
  it("says first the sender assignment, and without any it waits among the dead letters until there is one", async () => {
    const gateway_id = deterministicId("gtw", "unowned");
    const to = "+15550107777";
    const phone = newPhone();
    const { inboundId } = await postInbound(context(), undefined, {
      from: phone.id,
      to,
      gateway_id,
    });
    const letters = async (): Promise<readonly { id: string; status: string }[]> =>
      (
        await context().pool.query(
          "select id, status from runtime.dead_letters where consumer = 'contact-matching' and reason like $1",
          [`%${to}%`],
        )
      ).rows;
    const [letter] = await until(async () => {
      const found = await letters();
      return found.length > 0 && found;
    });
    const types = async () =>
      (await context().log.readStream(streamOf("inbound", inboundId))).map(({ type }) => type);
    expect(await types()).toEqual(["InboundReceived", "InboundParked"]);
    await assign(gateway_id, to);
    await context().pool.query("update runtime.dead_letters set status = 'retry' where id = $1", [
      letter!.id,
    ]);
    const found = await matched(inboundId);
    expect(found).toMatchObject({ reason: expect.stringContaining("assigned"), known: false });
    expect((await setting.get(pathOf(phone)))["id"]).toBe(found.contact_id);
    await until(async () => (await letters()).every(({ status }) => status === "resolved"));
    // Its bytes, which came before it had an owner, go with the contact.
    await setting.call("DELETE", `/contacts/${found.contact_id}`);
    await until(async () => {
      const [received] = await context().log.readStream(streamOf("inbound", inboundId));
      const open = await context().vault.open(undefined, received!.data);
      return JSON.stringify(open(received!.data)).includes("[erased]");
    });
  });

  it("says so of a chat that moved, too, whose move is kept once somebody owns the bot", async () => {
    const gateway_id = deterministicId("gtw", "shared-bot");
    const message = { message_id: 1, date: 1, chat: { id: -77 }, migrate_to_chat_id: -100_177 };
    const { inboundId } = await postInbound(context(), undefined, {
      channel: "telegram",
      from: "-77",
      gateway_id,
      raw: { kind: "telegram", body: { update_id: 1, message } },
    });
    const { log, pool, vault } = context();
    const retry = async () =>
      (
        await pool.query(
          "update runtime.dead_letters set status = 'retry' where consumer = 'contact-matching' and status = 'open' and event_id = $1",
          [uuid5(inboundId, "InboundReceived")],
        )
      ).rowCount === 1;
    await until(async () => (await log.readStream(streamOf("inbound", inboundId))).length === 2);
    const [, parked] = await log.readStream(streamOf("inbound", inboundId));
    expect(parked).toMatchObject({
      type: "InboundParked",
      data: { reason: expect.stringContaining("nobody owns") },
    });
    await assign(gateway_id, gateway_id);
    await until(retry);
    const of = { partner: me(), channel: "telegram", address: "-77" } as const;
    await until(async () => (await movesOf({ log, vault }, of)).now === "-100177");
  });

  it("says last who last sent through the gateway", async () => {
    const { world } = setting;
    const gateway_id = deterministicId("gtw", "last");
    const { log, projectionPool } = context();
    const message_id = deterministicId("msg", "last");
    const partner = world.partners[1]!.id;
    const [sent] = await log.append([
      {
        stream: streamOf("message", message_id),
        expected: "any",
        events: [
          {
            id: uuid5(message_id, "sent"),
            type: "MessageSent",
            data: {
              message_id,
              message: { channel: "sms", to: "+15551230001" },
              attempt: 1,
              attempt_id: deterministicId("atp", "last"),
              gateway: gateway_id,
              gateway_kind: "simulator",
              choice: { reason: "only" },
              provider: { name: "x", message_id: "x", status: "accepted" },
              cost: "0",
              currency: "USD",
            },
            metadata: { partner },
          },
        ],
      },
    ]);
    expect(sent).toMatchObject({ kind: "appended" });
    await until(async () => {
      const { rows } = await projectionPool.query("select 1 from contact_senders.last_sender");
      return rows.length > 0;
    });
    const { inboundId } = await postInbound(context(), undefined, {
      from: newPhone().id,
      to: "+15550106666",
      gateway_id,
    });
    await matched(inboundId);
    const [, event] = await log.readStream(streamOf("inbound", inboundId));
    expect(event!.metadata.partner).toBe(partner);
  });
});
