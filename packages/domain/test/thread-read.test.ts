import { expect, it } from "vitest";
import type { ThreadEvent } from "../src/index.ts";
import { readThreadNow } from "../src/thread-read.ts";

const ids = { conversation_id: "cnv_1", contact_id: "cnt_1" };
const at = "2026-05-23T14:22:17.000Z";

/** A thread's log that tells how much of it was read. */
function logOf(count: number) {
  const events: ThreadEvent[] = [];
  const add = (type: ThreadEvent["type"], data: object): void => {
    const revision = events.length;
    const metadata = { partner: "p" };
    const position = BigInt(revision + 1);
    const event = { id: `e${revision}`, stream: "thread-t", type, data, metadata, position };
    events.push({ ...event, revision } as unknown as ThreadEvent);
  };
  const receive = (id: string): void =>
    add("MessageReceived", {
      ...ids,
      message_id: id,
      provider: { message_id: id },
      received_at: at,
    });
  add("ConversationOpened", {
    ...ids,
    number: 0,
    channel: "sms",
    inbox: "+15550109999",
    address: { source: "sms", id: "sealed", name: "n" },
    opened_at: at,
  });
  for (let index = 0; index < count; index++) receive(`m${index}`);
  let read = 0;
  const log = {
    async *scanStream(_: string, { from }: { readonly from: number }) {
      for (const event of events.slice(from)) {
        read++;
        // Folds that are made at once take turns.
        await Promise.resolve();
        yield event;
      }
    },
  };
  const vault = {};
  // Each call has a log of its own.
  const reading = () => ({ log: { ...log }, vault });
  return { reading, receive, add, taken: () => [read, (read = 0)][0] };
}

it("Of a long thread only what came since is read", async () => {
  const { reading, receive, taken } = logOf(500);
  expect((await readThreadNow(reading(), "t"))?.conversations.get("cnv_1")?.unread).toBe(500);
  taken();
  receive("new");
  expect((await readThreadNow(reading(), "t"))?.conversations.get("cnv_1")?.unread).toBe(501);
  expect(taken()).toBe(1);
});

it("Two folds of one thread at once count what is unread alike", async () => {
  const { reading, receive, add } = logOf(500);
  await readThreadNow(reading(), "t");
  receive("a");
  add("ConversationRead", { ...ids, up_to: "a", by: { id: "k" }, read_at: at });
  for (const id of ["b", "c", "d"]) receive(id);
  // The second begins while the first is ahead, and both share the entries.
  const first = readThreadNow(reading(), "t");
  for (let turn = 0; turn < 9; turn++) await Promise.resolve();
  const states = await Promise.all([first, readThreadNow(reading(), "t")]);
  expect(states.map((state) => state?.conversations.get("cnv_1")?.unread)).toEqual([3, 3]);
});
