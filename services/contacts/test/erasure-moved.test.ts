import { externalIdName } from "@heliograph/channels";
import { streamOf } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { matchedOf, postInbound } from "./inbound.ts";
import { newPhone, openSetting, type Setting } from "./setting.ts";

/** An erasure takes what came to a contact, whoever has the address before and after; and nothing of theirs. */
describe("an address that moves", () => {
  let setting: Setting;
  beforeAll(async () => {
    setting = await openSetting({ consumers: "run" });
  });
  afterAll(() => setting.world.close());

  const partner = (): string => setting.world.partners[0]!.id;
  const context = () => setting.world.platform.contexts.sandbox;
  const ok = async (method: string, path: string, body?: object) => {
    const answer = await setting.call(method, path, body);
    if (answer.status >= 300) throw new Error(answer.text);
    return answer.body as Record<string, unknown>;
  };
  /** Writes from a number, and gives the record and its contact. */
  const write = async (from: string) => {
    const { inboundId } = await postInbound(context(), partner(), { from, text: `by ${from}` });
    const matched = await until(() => matchedOf(context(), inboundId));
    return { inboundId, contact: matched.contact_id };
  };
  const rawOf = async ({ inboundId }: { readonly inboundId: string }): Promise<string> => {
    const [received] = await context().log.readStream(streamOf("inbound", inboundId));
    if (received?.type !== "InboundReceived") throw new Error("nothing was received");
    const { raw } = received.data;
    return (await context().vault.open(partner(), raw))(raw);
  };
  /** Seals as sends to the number do, under a key of the address. */
  const sendTo = async (from: string): Promise<string> => {
    const owners = [externalIdName(context().vault, partner(), { source: "sms", id: from })];
    const subject = { partner: partner(), subject: `adr:${from}`, owners };
    return (await context().vault.seal(subject))(`to ${from}`);
  };
  const opened = async (token: string): Promise<string> =>
    (await context().vault.open(partner(), token))(token);
  const erase = async (contact: string): Promise<void> => {
    await ok("DELETE", `/contacts/${contact}`);
    await until(
      async () =>
        (await ok("GET", `/contacts/${contact}/erasure`))["status"] === "completed" && true,
    );
  };

  /** The number is A's, then nobody's, then B's; each of them is written to and writes. */
  const moved = async () => {
    const phone = newPhone();
    const before = await sendTo(phone.id);
    const byA = await write(phone.id);
    const path = `/contacts/${byA.contact}/external-ids/sms/${encodeURIComponent(phone.id)}`;
    await ok("DELETE", path);
    const b = await setting.made({ name: "B" });
    await ok("POST", `/contacts/${b}/external-ids`, phone);
    const after = await sendTo(phone.id);
    const byB = await write(phone.id);
    expect(byB.contact).toBe(b);
    return { phone, byA, byB, before, after };
  };

  test("takes the former owner's records with him, and leaves the new owner's", async () => {
    const { phone, byA, byB, before, after } = await moved();
    await erase(byA.contact);
    expect([await rawOf(byA), await opened(before)]).toEqual(["[erased]", "[erased]"]);
    expect([await rawOf(byB), await opened(after)]).toEqual([
      expect.stringContaining(phone.id),
      `to ${phone.id}`,
    ]);
    // The number is still the new owner's, who goes as a whole in turn.
    expect((await write(phone.id)).contact).toBe(byB.contact);
    await erase(byB.contact);
    expect([await rawOf(byB), await opened(after)]).toEqual(["[erased]", "[erased]"]);
  });

  test("takes the new owner's records with him, and leaves the former owner's", async () => {
    const { phone, byA, byB, before, after } = await moved();
    await erase(byB.contact);
    expect([await rawOf(byB), await opened(after)]).toEqual(["[erased]", "[erased]"]);
    expect([await rawOf(byA), await opened(before)]).toEqual([
      expect.stringContaining(phone.id),
      `to ${phone.id}`,
    ]);
  });

  /** One is part of the other for a while, and writes before, meanwhile and after. */
  const together = async () => {
    const phone = newPhone();
    const before = await write(phone.id);
    const survivor = await setting.made({ name: "S", external_ids: [newPhone()] });
    const answer = await ok("POST", `/contacts/${before.contact}/merge`, { into: survivor });
    const meanwhile = await write(phone.id);
    expect(meanwhile.contact).toBe(survivor);
    return { phone, before, meanwhile, survivor, merge: answer["merge_id"] as string };
  };
  const apart = async () => {
    const merged = await together();
    await ok("POST", `/contacts/${merged.survivor}/unmerge`, { merge_id: merged.merge });
    const after = await write(merged.phone.id);
    expect(after.contact).toBe(merged.before.contact);
    return { ...merged, after };
  };

  test("a merged contact's records go with the survivor", async () => {
    const { before, meanwhile, survivor } = await together();
    await erase(survivor);
    expect([await rawOf(before), await rawOf(meanwhile)]).toEqual(["[erased]", "[erased]"]);
  });

  test("after an unmerge the survivor takes what came to it meanwhile, and no more", async () => {
    const { phone, before, meanwhile, after, survivor } = await apart();
    await erase(survivor);
    expect(await rawOf(meanwhile)).toBe("[erased]");
    for (const own of [before, after]) expect(await rawOf(own)).toContain(phone.id);
  });

  test("after an unmerge the other one takes its own, and leaves what was the survivor's", async () => {
    const { phone, before, meanwhile, after } = await apart();
    await erase(before.contact);
    for (const own of [before, after]) expect(await rawOf(own)).toBe("[erased]");
    expect(await rawOf(meanwhile)).toContain(phone.id);
  });
});

test("a certificate is given when no process can have a key any more", async () => {
  const { world, call, made, get } = await openSetting({ consumers: "run" });
  try {
    const id = await made({ name: "Ada" });
    await call("DELETE", `/contacts/${id}`);
    await until(async () => (await get(`/contacts/${id}/erasure`))["status"] === "completed");
    const events = await world.platform.contexts.sandbox.log.readStream(streamOf("contact", id));
    const told = events.at(-1)!;
    if (told.type !== "ContactErased") throw new Error(told.type);
    const afterMs = new Date(told.recordedAt).getTime() - Date.parse(told.data.key_destroyed_at);
    expect(afterMs).toBeGreaterThanOrEqual(1_000);
  } finally {
    await world.close();
  }
});
