import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { services } from "../src/index.ts";

/** What a contact's history shows of sends that are part of no conversation. */
describe.each(["off", "on"])("with HELIOGRAPH_ENCRYPT_MESSAGES=%s", (encrypted) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld({
      services,
      consumers: "run",
      partners: [{}, {}],
      env: { HELIOGRAPH_ENCRYPT_MESSAGES: encrypted },
    });
  });
  afterAll(() => world.close());

  const context = () => world.platform.contexts.sandbox;
  const call = async (method: string, path: string, body?: object, partner = 0) =>
    world.call(method, `/api/v1${path}`, {
      key: world.partners[partner]!.key,
      headers: { "min-log-position": String(await context().log.head()) },
      ...(body !== undefined && { body }),
    });
  const ok = async (...given: Parameters<typeof call>) => {
    const answer = await call(...given);
    if (answer.status >= 300) throw new Error(answer.text);
    return answer.body;
  };
  let numbers = 1_000;
  const newNumber = (): string => `+1555125${String(++numbers).padStart(4, "0")}`;
  const idOf = (to: string) => ({ source: "sms", id: to });
  const contactWith = async (to: string): Promise<string> =>
    (await ok("POST", "/contacts", { name: "Ada", external_ids: [idOf(to)] })).id;
  const send = async (to: string, text: string, more: object = {}) =>
    (await ok("POST", "/messages", { channel: "sms", to, text, ...more })).id as string;
  /** Sends are listed from the index of messages, which comes after them. */
  const expectHistory = (contact: string, texts: readonly string[], query = "") =>
    until(async () => {
      const page = await ok("GET", `/contacts/${contact}/messages${query}`);
      expect(page.data.map(({ text }: { text: string }) => text)).toEqual(texts);
      return page;
    });
  const indexed = async (id: string) =>
    until(async () =>
      (await ok("GET", `/messages?limit=100`)).data.some((m: { id: string }) => m.id === id),
    );

  test("plain sends to a contact's addresses are in its history, those before it was known too, with their live status", async () => {
    const to = newNumber();
    const first = await send(to, "Your parcel is on its way");
    await ok("POST", "/sandbox/inbound", { channel: "sms", from: to, text: "Thanks" });
    const contact = await until(async () => {
      const answer = await call("GET", `/contacts/by-external-id/sms/${encodeURIComponent(to)}`);
      return answer.status === 200 && (answer.body.id as string);
    });
    // A thread has what a person wrote a moment after the contact is there, and the history is in the order of both.
    await expectHistory(contact, ["Thanks", "Your parcel is on its way"]);
    await send(newNumber(), "Somebody else's");
    const last = await send(to, "It is there");
    const page = await expectHistory(contact, [
      "It is there",
      "Thanks",
      "Your parcel is on its way",
    ]);
    expect(page.data[0]).toMatchObject({ id: last, direction: "outbound", channel: "sms" });
    expect(page.data[0]).not.toHaveProperty("conversation_id");
    expect(page.data[1]).toMatchObject({
      direction: "inbound",
      conversation_id: expect.any(String),
    });
    await until(async () => {
      const { data } = await ok("GET", `/contacts/${contact}/messages`);
      return data[2].id === first && data[2].status === "delivered";
    });
  });

  test("a reply is there once, and pages go through both kinds in the order of the log", async () => {
    const to = newNumber();
    const contact = await contactWith(to);
    await send(to, "1");
    await ok("POST", "/sandbox/inbound", { channel: "sms", from: to, text: "2" });
    const conversation = await until(async () => {
      const { data } = await ok("GET", `/conversations?contact=${contact}`);
      return data[0]?.id as string | undefined;
    });
    await ok("POST", `/conversations/${conversation}/messages`, { text: "3" });
    await expectHistory(contact, ["3", "2", "1"]);
    await send(to, "4");
    await expectHistory(contact, ["4", "3", "2", "1"]);
    const one = await expectHistory(contact, ["4", "3"], "?limit=2");
    const two = await expectHistory(contact, ["2", "1"], `?limit=2&after=${one.next_cursor}`);
    expect(two.next_cursor).toBeNull();
    await expectHistory(contact, ["4", "3"], `?limit=2&before=${two.prev_cursor}`);
    await expectHistory(contact, ["3"], `?limit=1&before=${two.prev_cursor}`);
  });

  test("an address that moves leaves behind what was sent while it was another's", async () => {
    const to = newNumber();
    const a = await contactWith(to);
    await send(to, "to A");
    await expectHistory(a, ["to A"]);
    await ok("DELETE", `/contacts/${a}/external-ids/sms/${encodeURIComponent(to)}`);
    const b = await contactWith(to);
    await send(to, "to B");
    await expectHistory(b, ["to B"]);
    await expectHistory(a, ["to A"]);
    await ok("POST", `/contacts/${a}/merge`, { into: b });
    await expectHistory(b, ["to B", "to A"]);
  });

  test("after an erasure nobody is shown what was sent, the next owner of the number neither", async () => {
    const to = newNumber();
    const a = await contactWith(to);
    await expectHistory(a, []);
    const sent = await send(to, "for A alone");
    await expectHistory(a, ["for A alone"]);
    await ok("DELETE", `/contacts/${a}`);
    await until(async () => (await ok("GET", `/contacts/${a}/erasure`)).status === "completed");
    const gone = await call("GET", `/contacts/${a}/messages`);
    expect(gone.text).not.toContain("for A alone");
    const b = await contactWith(to);
    await indexed(sent);
    await expectHistory(b, []);
  });

  test("another partner's sends to the same number are not there", async () => {
    const to = newNumber();
    const contact = await contactWith(to);
    const other = await ok("POST", "/messages", { channel: "sms", to, text: "theirs" }, 1);
    await until(async () =>
      (await ok("GET", "/messages", undefined, 1)).data.some(
        (m: { id: string }) => m.id === other.id,
      ),
    );
    await send(to, "ours");
    await expectHistory(contact, ["ours"]);
  });

  test("every consumer keeps its place behind what it was given", async () => {
    const { id } = world.partners[0]!;
    const key = await world.addKey(id, { environment: "live", scopes: ["admin"] });
    type Consumer = { name: string; environment: string; lag_events: number };
    await until(
      async () => {
        const { body } = await world.call("GET", "/api/v1/admin/projections", { key });
        const all: readonly Consumer[] = body.data;
        const behind = all.filter(({ lag_events }) => lag_events > 0);
        if (behind.length > 0)
          throw new Error(behind.map(({ environment, name }) => `${environment} ${name}`).join());
        return all.length > 0;
      },
      { timeoutMs: 20_000, what: "no consumer is behind" },
    );
  }, 30_000);
});
