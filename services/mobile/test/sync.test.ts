import { type EventType, newId, streamOf } from "@heliograph/contracts";
import { rebuildProjector } from "@heliograph/runtime";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it } from "vitest";
import { service } from "../src/index.ts";
import { syncProjector } from "../src/projector.ts";
import { beginSync, findChanges, showChanges, type SyncPage } from "../src/sync/read.ts";
import { waiterOf } from "../src/sync/waiter.ts";
import { peopleOf } from "./people.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({ services: [service], consumers: "run" });
});
afterAll(() => world.close());

const newPartner = async () => {
  const partner = await world.addPartner();
  return { ...partner, people: peopleOf(world, partner.id) };
};
const deps = () => world.platform.contexts.sandbox;
const head = (): Promise<bigint> => deps().log.head();
/** What is in the log is projected. */
const projected = async (key: string): Promise<void> => {
  const headers = { "min-log-position": String(await head()).padStart(16, "0") };
  const answer = await world.call("GET", "/api/v1/mobile/sync", { key, headers });
  expect(answer.status).toBe(200);
};
const sync = async (key: string, query = "", headers: Record<string, string> = {}) =>
  world.call("GET", `/api/v1/mobile/sync${query}`, { key, headers });
const pages = async (key: string, limit = 100): Promise<SyncPage[]> => {
  const all: SyncPage[] = [];
  for (let after = 0; ;) {
    const { body } = await sync(key, `?after=${after}&limit=${limit}`);
    const page = body as SyncPage;
    all.push(page);
    if (page.next_after === after) return all;
    after = page.next_after;
  }
};
const viewed = async (partner: string, agent: string | undefined, after: number) => {
  const viewer = { partner, agent };
  return showChanges(deps(), viewer, await findChanges(deps(), viewer, after, 100));
};

it("sync by time skips, sync by sequence does not: 500 changes of one append come in pages of 100, each once", async () => {
  const { key, people } = await newPartner();
  await people.open("ada");
  const ids = await people.receive(
    "ada",
    Array.from({ length: 500 }, (_, index) => `text ${index}`),
  );
  await projected(key);
  const all = await pages(key);
  const told = all.flatMap(({ messages }) => messages.map(({ id }) => id));
  expect(told).toEqual(ids);
  expect(all.at(-1)!.next_after).toBe(501);
  expect(all[1]!.conversations).toHaveLength(1);
  expect(all[1]!.conversations[0]).toMatchObject({
    contact: { name: "Contact ada" },
    unread: 500,
    last_message: { direction: "inbound", text: "text 499" },
  });
});

it("the cursor never passes what is not committed: sequences have no hole, in the order of the log", async () => {
  const { id, key, people } = await newPartner();
  await people.open("a");
  const readers: SyncPage[] = [];
  let stop = false;
  const reading = (async () => {
    for (let after = 0; !stop;) {
      const page = await viewed(id, undefined, after);
      readers.push(page);
      after = page.next_after;
    }
  })();
  await Promise.all(
    Array.from({ length: 20 }, (_, index) => people.receive("a", [`x ${index}`, `y ${index}`])),
  );
  await projected(key);
  const { rows } = await deps().projectionPool.query<{ sequence: string }>(
    "select sequence from mobile.changes where partner = $1 order by sequence",
    [id],
  );
  expect(rows.map(({ sequence }) => Number(sequence))).toEqual(
    Array.from({ length: 41 }, (_, index) => index + 1),
  );
  await until(async () => readers.at(-1)?.next_after === 41);
  stop = true;
  await reading;
  const told = readers.flatMap(({ messages }) => messages.map(({ id: message }) => message));
  expect(told).toHaveLength(40);
  expect(new Set(told).size).toBe(40);
});

it("an agent sees what is the agent's, a team's or nobody's, and is told what is taken away", async () => {
  const { id: partner, key, people } = await newPartner();
  const [ada, bob, team] = [newId("agt"), newId("agt"), newId("tea")];
  await people.team(team, [bob]);
  for (const name of ["one", "two", "three"]) await people.open(name);
  await people.receive("one", ["hello"]);
  await people.assign("two", { id: bob, name: "Bob" });
  await people.queue("three", team);
  await projected(key);
  const names = ({ conversations }: SyncPage) =>
    conversations.map(({ contact }) => String(contact.name)).toSorted();
  const first = await viewed(partner, ada, 0);
  expect(names(first)).toEqual(["Contact one"]);
  expect(first.unread).toBe(1);
  const bobs = await viewed(partner, bob, 0);
  expect(names(bobs)).toEqual(["Contact one", "Contact three", "Contact two"]);
  expect(bobs.reset).toBe(true);
  expect(names(await viewed(partner, undefined, 0))).toHaveLength(3);

  await people.assign("one", { id: bob, name: "Bob" });
  await projected(key);
  const lost = await viewed(partner, ada, first.next_after);
  expect(lost).toMatchObject({
    conversations: [],
    messages: [],
    removed: [people.ids("one").conversation_id],
    unread: 0,
  });
  // Who gets it later has what was said before.
  await people.assign("one", { id: ada, name: "Ada" });
  await projected(key);
  const gained = await viewed(partner, ada, lost.next_after);
  expect(gained.messages.map(({ text }) => text)).toEqual(["hello"]);
  expect(gained).toMatchObject({ removed: [], unread: 1 });
});

it("who joins a team is told to begin anew, and begins with what the team has", async () => {
  const { id: partner, key, people } = await newPartner();
  const [ada, team] = [newId("agt"), newId("tea")];
  await people.team(team, []);
  await people.open("one");
  await people.queue("one", team);
  await projected(key);
  const { next_after } = await viewed(partner, ada, 0);
  await people.team(team, [ada], "TeamChanged");
  await projected(key);
  expect(await viewed(partner, ada, next_after)).toMatchObject({ reset: true });
  const begun = await beginSync(deps(), { partner, agent: ada });
  expect(begun.conversations.map(({ id }) => id)).toEqual([people.ids("one").conversation_id]);
  expect(begun.next_after).toBeGreaterThan(next_after);
});

it("a read mark counts by the order of the log, and never moves back", async () => {
  const { id: partner, key, people } = await newPartner();
  await people.open("one");
  const [, second, , fourth] = await people.receive("one", ["1", "2", "3", "4", "5"]);
  await people.read("one", fourth!);
  await people.read("one", second!);
  await projected(key);
  const page = await viewed(partner, undefined, 0);
  expect(page.conversations[0]!.unread).toBe(1);
  expect(page.unread).toBe(1);
});

it("an idle phone is told 304, and a waiting one hears within a moment of what it sees alone", async () => {
  const { id: partner, key, people } = await newPartner();
  await people.open("one");
  await projected(key);
  const { headers, body } = await sync(key, "?after=1");
  expect(body).toMatchObject({ conversations: [], next_after: 1 });
  const etag = { "if-none-match": headers.get("etag")! };
  expect((await sync(key, "?after=1", etag)).status).toBe(304);
  expect((await sync(key, "?after=1&wait=1", etag)).status).toBe(304);

  const [ada, bob] = [newId("agt"), newId("agt")];
  const waiter = waiterOf(deps().projectionPool);
  const stop = new AbortController();
  const wait = (agent: string) =>
    waiter.wait({ partner, after: 1, agent, teams: [] }, 20_000, stop.signal);
  const bobs = wait(bob);
  const waiting = sync(key, "?after=1&wait=20", etag);
  await people.assign("one", { id: ada, name: "Ada" });
  expect((await waiting).body).toMatchObject({ conversations: [{ assignee: { name: "Ada" } }] });
  // It was nobody's before, so all who might have seen it were told; now it is one agent's.
  expect(await bobs).toBe(true);
  await projected(key);
  const { next_after: after } = await viewed(partner, undefined, 1);
  const still = waiter.wait({ partner, after, agent: bob, teams: [] }, 20_000, stop.signal);
  const told = waiter.wait({ partner, after, agent: ada, teams: [] }, 20_000, stop.signal);
  await people.receive("one", ["for Ada"]);
  expect(await told).toBe(true);
  stop.abort();
  expect(await still).toBe(false);
});

it("a revoked key ends a wait long before its time", async () => {
  const { id: partner } = await newPartner();
  const key = await world.addKey(partner);
  // As long as the test may take: whoever waits to the end fails it.
  const waiting = sync(key, "?after=0&wait=30");
  const { directory } = world.platform;
  const record = directory.keysOf(partner).at(-1)!;
  await world.appendPlatform(`key-${record.key_id.slice(4)}`, "any", "KeyRevoked", {
    key_id: record.key_id,
    partner_id: partner,
  });
  expect(await waiting).toMatchObject({ status: 401, body: { code: "key_revoked" } });
}, 30_000);

it("another partner, and another environment, sees nothing of it", async () => {
  const { id, key, people } = await newPartner();
  const other = await newPartner();
  await people.open("one");
  await projected(key);
  const live = await world.addKey(id, { environment: "live" });
  for (const stranger of [other.key, live])
    expect((await sync(stranger, "?after=0")).body).toMatchObject({
      conversations: [],
      next_after: 0,
    });
  expect(await sync(other.key, "?after=5")).toMatchObject({
    status: 409,
    body: { code: "sequence_ahead" },
  });
});

it("what becomes of a file is told with its message again, and a rebuild tells the same", async () => {
  const { key, people } = await newPartner();
  await people.open("one");
  const file = newId("att");
  const message = await people.receiveFile("one", file);
  const told = async (after: number) => {
    await projected(key);
    const { body } = await sync(key, `?after=${after}`);
    const page = body as SyncPage;
    return { next: page.next_after, media: page.messages.flatMap(({ media }) => media) };
  };
  const news = async (type: EventType, more: object) => {
    const data = { attachment_id: file, ...message, ...more };
    await people.append([{ stream: streamOf("file", file), type, data }]);
  };
  const at = "2026-05-23T14:22:17.000Z";
  const first = await told(0);
  await news("ReceivedFileAwaited", { awaited_at: at });
  const awaited = await told(first.next);
  expect(awaited.media).toMatchObject([{ attachment_id: file, fetching: true }]);
  await news("ReceivedFileLost", { reason: "gone", lost_at: at });
  const lost = await told(awaited.next);
  expect(lost).toMatchObject({ next: awaited.next + 1, media: [{ not_kept: "gone" }] });
  const rebuilt = await rebuildProjector(deps(), syncProjector, {
    verifyOnly: true,
    signal: new AbortController().signal,
  });
  expect(rebuilt).toMatchObject({ equal: true });
});

it("what was said reads [erased] once its contact's key is gone, in every page and also of a rebuild", async () => {
  const { id: partner, key, people } = await newPartner();
  await people.open("one");
  await people.receive("one", ["secret"]);
  await projected(key);
  await deps().vault.destroy(partner, [people.ids("one").contact_id]);
  const { body } = await sync(key, "?after=0");
  expect(body).toMatchObject({
    conversations: [{ contact: { name: "[erased]" }, last_message: { text: "[erased]" } }],
    messages: [{ text: "[erased]" }],
  });
  expect(JSON.stringify(body)).not.toContain("secret");
});
