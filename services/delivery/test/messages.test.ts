import { newId } from "@heliograph/contracts";
import { listMessages, type MessageFilter, type MessagePage } from "../src/tables/messages.ts";
import { openWindow } from "../src/tables/overview.ts";
import { metricsRegister, rebuildProjector, runConsumer } from "@heliograph/runtime";
import { afterAll, beforeAll, expect, it } from "vitest";
import { messagesProjector } from "../src/index.ts";
import { fact, onMessage, partner, requestOf, requested, sent } from "./facts.ts";
import { openSetting, type Setting } from "./setting.ts";

let setting: Setting;
let consumer: Awaited<ReturnType<typeof runConsumer>>;
const ids: string[] = [];
const minute = 60_000;
const begin = Date.parse("2026-05-23T00:00:00.000Z");
const other = "ptn_11HNQX2P8Y9R3T4V5W6Z7A8B9C";

/** Sixty messages, ten minutes apart, of which every third is delivered and every tenth is another partner's. */
beforeAll(async () => {
  setting = await openSetting();
  consumer = await runConsumer(messagesProjector(setting.context), setting.context);
  for (let index = 0; index < 60; index++) {
    const request = requestOf(newId("msg"), {
      to: `+155512300${String(index % 7).padStart(2, "0")}`,
      channel: index % 2 === 0 ? "sms" : "whatsapp",
      created_at: new Date(begin + index * 10 * minute).toISOString(),
      ...(index % 5 === 0
        ? {
            tags: ["a,b", 'say "hi" \\'],
            metadata: { order: index, nul: "x" },
            client_ref: `ref ${index}`,
          }
        : {}),
      ...(index === 7 ? { metadata: { text: "half \ud800 and \u0000" } } : {}),
    });
    const owner = index % 10 === 9 ? other : partner;
    if (owner === partner) ids.push(request.message_id);
    await setting.append(onMessage(request.message_id, "no_stream", requested(request, owner)));
    if (index % 3 > 0) continue;
    await consumer.caughtUp(await setting.log.head());
    const delivered = {
      message_id: request.message_id,
      message: { channel: request.channel, to: request.to },
      gateway: "g",
      provider_message_id: "p",
      at: request.created_at,
    };
    await setting.append(
      onMessage(
        request.message_id,
        0,
        { ...sent(request), metadata: { partner: owner } },
        fact("MessageDelivered", delivered, "", owner),
      ),
    );
  }
  await consumer.caughtUp(await setting.log.head());
});
afterAll(async () => {
  await consumer.stop();
  await setting.close();
});

const newestFirst = () => ids.toReversed();
const idsOf = (page: MessagePage | undefined) => page!.data.map((item) => item["id"]);
const list = (
  filter: MessageFilter = {},
  more: { after?: string | undefined; before?: string | undefined; limit?: number } = {},
) => listMessages(setting.pool, setting.log, "sandbox", { partner, limit: 100, filter, ...more });

it("Pages follow each other without gap or repetition, and lead back", async () => {
  const seen: unknown[] = [];
  let page = await list({}, { limit: 7 });
  expect(page!.prev_cursor).toBeNull();
  const first = page;
  for (;;) {
    seen.push(...idsOf(page));
    if (page!.next_cursor === null) break;
    page = await list({}, { limit: 7, after: page!.next_cursor });
  }
  expect(seen).toEqual(newestFirst());
  const second = await list({}, { limit: 7, after: first!.next_cursor! });
  expect(idsOf(await list({}, { limit: 7, after: second!.prev_cursor! }))).toEqual(idsOf(first));
  expect(idsOf(await list({}, { limit: 7, before: second!.next_cursor! }))).not.toHaveLength(0);
});

it("A page shows the body that the fold of the log gives", async () => {
  const page = await list({}, { limit: 1 });
  expect(page!.data[0]).toMatchObject({
    id: ids.at(-1),
    channel: "sms",
    environment: "sandbox",
    status: "queued",
    cost: "0",
  });
});

it("Every filter shows what matches and nothing else, and never another partner's", async () => {
  const all = await list();
  const matching = (test: (item: Record<string, unknown>) => boolean) =>
    all!.data.filter(test).map((item) => item["id"]);
  expect(idsOf(await list({ status: ["delivered"] }))).toEqual(
    matching((item) => item["status"] === "delivered"),
  );
  expect(idsOf(await list({ status: ["delivered"] }))).toHaveLength(18);
  expect(idsOf(await list({ channel: "whatsapp" }))).toEqual(
    matching((item) => item["channel"] === "whatsapp"),
  );
  expect(idsOf(await list({ to: ["+15551230003"] }))).toEqual(
    matching((item) => item["to"] === "+15551230003"),
  );
  expect(idsOf(await list({ tag: 'say "hi" \\' }))).toHaveLength(12);
  expect(idsOf(await list({ tag: "a" }))).toHaveLength(0);
  expect(idsOf(await list({ clientRef: "ref 5" }))).toHaveLength(1);
  expect(idsOf(await list({ clientRef: "ref" }))).toHaveLength(0);
  expect(idsOf(await list({ metadata: { order: "25", nul: "x" } }))).toEqual(
    matching((item) => (item["metadata"] as { order?: number }).order === 25),
  );
  expect(idsOf(await list({ metadata: { order: "25", nul: "y" } }))).toHaveLength(0);
  const range = { createdFrom: begin + 100 * minute, createdBefore: begin + 200 * minute };
  const inRange = (item: Record<string, unknown>) => {
    const at = Date.parse(String(item["created_at"]));
    return at >= range.createdFrom && at < range.createdBefore;
  };
  expect(idsOf(await list(range))).toEqual(matching(inRange));
  expect(idsOf(await list({ ...range, to: ["+15551230003"], status: ["queued"] }))).toEqual(
    matching(
      (item) => inRange(item) && item["to"] === "+15551230003" && item["status"] === "queued",
    ),
  );
});

it("A cursor that is none of ours is refused", async () => {
  expect(await list({}, { after: "x" })).toBeUndefined();
  expect(await list({}, { before: "o1" })).toBeUndefined();
});

/** What was counted of one status, over all channels. */
async function counted(status: string): Promise<number> {
  const { values } = await metricsRegister.getSingleMetric("heliograph_messages_total")!.get();
  return values
    .filter(({ labels }) => labels["status"] === status)
    .reduce((sum, { value }) => sum + value, 0);
}

it("An overview counts a partner's messages by their minute, and names the newest of a status", async () => {
  const fromMs = begin + 10 * minute;
  const window = await openWindow(setting.pool, { partner, fromMs, toMs: fromMs + 40 * minute });
  const found = await window.counts();
  const first = begin / minute;
  expect(found.counts).toEqual([
    { minute: first + 10, status: "queued", messages: 1 },
    { minute: first + 20, status: "queued", messages: 1 },
    { minute: first + 30, status: "delivered", messages: 1 },
    { minute: first + 40, status: "queued", messages: 1 },
  ]);
  expect(found).toMatchObject({ complete: true, asOf: await setting.log.head() });
  expect(await window.newest(["delivered", "read"], 10)).toEqual([ids[3]]);
  expect(await window.newest(["queued"], 1)).toEqual([ids[4]]);
});

it("Each message is counted once by what became of it, and not again by a rebuild", async () => {
  await rebuildProjector(setting.context, messagesProjector(setting.context), {
    verifyOnly: true,
    signal: AbortSignal.timeout(20_000),
  });
  expect([await counted("accepted"), await counted("sent"), await counted("delivered")]).toEqual([
    60, 20, 20,
  ]);
});

it("A rebuild gives the same rows, with statuses of messages that are no longer remembered", async () => {
  const verified = await rebuildProjector(setting.context, messagesProjector(setting.context), {
    verifyOnly: true,
    signal: AbortSignal.timeout(20_000),
  });
  expect(verified).toMatchObject({ equal: true });
  await consumer.stop();
  const last = ids.at(-1)!;
  await setting.append(
    onMessage(
      last,
      0,
      fact("MessageCanceled", {
        message_id: last,
        message: { channel: "sms", to: "+1" },
        cost: "0.0079",
        currency: "USD",
      }),
    ),
  );
  consumer = await runConsumer(messagesProjector(setting.context), setting.context);
  await consumer.caughtUp(await setting.log.head());
  expect(idsOf(await list({ status: ["canceled"] }))).toEqual([last]);
});

it("A page of what is rare has what it is now, in pages as any other", async () => {
  // The last of them was delivered before, and a word that comes late does not lower that.
  for (const [id, revision] of [
    [ids[1]!, 0],
    [ids[2]!, 0],
    [ids[3]!, 2],
  ] as const) {
    const canceled = {
      message_id: id,
      message: { channel: "sms", to: "+1" },
      cost: "0.0079",
      currency: "USD",
    };
    await setting.append(onMessage(id, revision, fact("MessageCanceled", canceled)));
  }
  await consumer.caughtUp(await setting.log.head());
  const all = [ids.at(-1), ids[2], ids[1]];
  expect(idsOf(await list({ status: ["canceled"] }))).toEqual(all);
  const status = ["canceled", "failed", "canceled"] as const;
  expect(idsOf(await list({ status }))).toEqual(all);
  const first = await list({ status }, { limit: 2 });
  expect(idsOf(first)).toEqual(all.slice(0, 2));
  const second = await list({ status }, { limit: 2, after: first!.next_cursor! });
  expect(idsOf(second)).toEqual(all.slice(2));
  expect(idsOf(await list({ status }, { limit: 2, before: second!.prev_cursor! }))).toEqual(
    all.slice(0, 2),
  );
  expect(idsOf(await list({ status: ["canceled"], channel: "whatsapp" }))).toEqual([ids[1]]);
  expect(idsOf(await list({ status: ["failed"] }))).toEqual([]);
  expect(
    await rebuildProjector(setting.context, messagesProjector(setting.context), {
      verifyOnly: true,
      signal: AbortSignal.timeout(20_000),
    }),
  ).toMatchObject({ equal: true });
});

type Node = {
  readonly "Actual Rows": number;
  readonly "Rows Removed by Filter"?: number;
  readonly Plans?: readonly Node[];
};
const looked = (node: Node): number =>
  Math.max(
    node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0),
    ...(node.Plans ?? []).map(looked),
  );

it("The hot statements use indexes and sort nothing", async () => {
  const client = await setting.pool.connect();
  try {
    await client.query(
      "insert into messages.messages select 100000 + n, 0, 1, false, $1, 'msg_' || n, 'sms', '+1' || n from generate_series(1, 20000) n",
      ["ptn_big"],
    );
    await client.query("analyze messages.messages");
    await client.query(
      "insert into messages.rare select 'ptn_big', 9, 100000 + n from generate_series(1, 20) n",
    );
    const plan = async (text: string) =>
      JSON.stringify((await client.query(`explain (format json) ${text}`)).rows);
    const page = await plan(
      `select * from (select * from messages.messages t where partner = 'ptn_big' and position > 0 and position < 200000 order by position desc limit 50000) m where status = 3 order by position desc limit 26`,
    );
    expect(page).not.toContain('"Sort"');
    expect(page).toContain("messages_pkey");
    const raise = await plan(
      `update messages.messages m set status = 4 where m.ctid = any(array(select (select t.ctid from messages.messages t where t.partner = u.partner and t.position = u.position) from unnest('{ptn_big}'::text[], '{100001}'::bigint[]) as u(partner, position))) and m.status < 4`,
    );
    // What has failed is looked for among that alone, whatever else there is: the statements themselves are explained.
    for (const status of [["failed"], ["failed", "bounced", "canceled"]] as const) {
      const asked: { readonly text: string; readonly values: unknown[] }[] = [];
      const pool = {
        query(statement: (typeof asked)[number]) {
          asked.push(statement);
          return client.query(statement);
        },
      } as unknown as typeof setting.pool;
      await listMessages(pool, setting.log, "sandbox", {
        partner: "ptn_big",
        limit: 25,
        filter: { status },
      });
      expect(asked).toHaveLength(2);
      for (const { text, values } of asked) {
        const { rows } = await client.query(`explain (analyze, format json) ${text}`, values);
        expect(looked(rows[0]["QUERY PLAN"][0].Plan)).toBeLessThan(30);
      }
    }
    expect(raise).toContain("Tid Scan");
    expect(raise).not.toContain("Seq Scan");
  } finally {
    client.release();
  }
});
