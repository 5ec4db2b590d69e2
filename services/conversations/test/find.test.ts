import type { Call } from "@heliograph/api";
import { newId } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import { expect, it } from "vitest";
import { eventsOf, findConversation } from "../src/api/find.ts";
import { readTimeline } from "../src/api/timeline.ts";
import { shownOf } from "../src/view.ts";

const at = "2026-05-23T14:22:17.000Z";
const [first, second] = [newId("cnv"), newId("cnv")];

/** A thread of two conversations, each with so many messages; reads of events are counted. */
function scene(each: number) {
  const thread: RecordedEvent[] = [];
  const event = (type: string, data: object) => ({ type, data, metadata: { partner: "p" } });
  const add = (type: string, data: object): void => {
    const revision = thread.length;
    const place = {
      recordedAt: 0,
      id: `e${revision}`,
      stream: "thread-t",
      revision,
      position: BigInt(revision + 1),
    };
    thread.push({ ...event(type, data), ...place } as unknown as RecordedEvent);
  };
  for (const [number, conversation_id] of [first, second].entries()) {
    const address = { source: "sms", id: "sealed", name: "n" };
    const own = { conversation_id, contact_id: "cnt_1" };
    add("ConversationOpened", {
      ...own,
      number,
      channel: "sms",
      inbox: "+1",
      address,
      opened_at: at,
    });
    for (let index = 0; index < each; index++)
      add("MessageReceived", {
        ...own,
        message_id: `${number}-${index}`,
        provider: { message_id: "x" },
        received_at: at,
      });
  }
  let read = 0;
  const logUntil = (end: bigint) => ({
    readStream: async () => [event("ConversationPlaced", { thread: "t" })],
    readStreams: async () => new Map(),
    async *scanStream(_: string, { from = 0 }: { readonly from?: number } = {}) {
      for (const each of thread.slice(from).filter(({ position }) => position <= end)) {
        read++;
        yield each;
      }
    },
  });
  const vault = { open: async () => (data: unknown) => data };
  const present = { log: logUntil(1_000_000n), vault };
  const call = (id: string, end?: bigint) =>
    ({
      present,
      deps: end === undefined ? present : { log: logUntil(end), vault },
      partner: { partner_id: "p" },
      params: { id },
      query: {},
      env: "live",
      context: { masterKey: Buffer.alloc(32) },
    }) as unknown as Call<unknown, { readonly limit?: number }>;
  return { call, taken: () => [read, (read = 0)][0] };
}

it("Of a long thread a look back reads the conversation's own part, and what it shows is what it was", async () => {
  const { call, taken } = scene(300);
  // Once, for whoever asks about the thread.
  const now = await findConversation(call(second));
  expect(now.conversation.unread).toBe(300);
  taken();
  for (const [id, end, unread] of [
    [first, 10n, 9],
    [first, 602n, 300],
    [second, 312n, 10],
  ] as const) {
    const { thread, conversation } = await findConversation(call(id, end));
    expect(shownOf(thread, conversation)).toMatchObject({ id, unread, status: "open" });
    expect(taken()).toBeLessThanOrEqual(unread + 2);
  }
  await expect(findConversation(call(second, 301n))).rejects.toMatchObject({ code: "not_found" });
  expect(taken()).toBe(0);

  const told: string[] = [];
  const { log } = call(first).deps;
  for await (const { type } of eventsOf(log, await findConversation(call(first)))) told.push(type);
  expect(told).toHaveLength(301);
  expect(taken()).toBeLessThanOrEqual(302);

  const { body } = await readTimeline(call(first));
  expect((body as { data: unknown[] }).data).toHaveLength(301);
  expect(taken()).toBeLessThanOrEqual(302);
});
