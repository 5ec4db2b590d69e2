import type { EventLog, RecordedEvent } from "@heliograph/log";
import { expect, it } from "vitest";
import { explainField } from "../src/index.ts";
import { mostFolded, scannedAtMost } from "../src/fold-bound.ts";

const events = (count: number): readonly RecordedEvent[] =>
  Array.from(
    { length: count },
    (_, revision) =>
      ({
        id: "00000000-0000-7000-8000-000000000000",
        type: "ConversationRead",
        data: {},
        metadata: {},
        position: BigInt(revision),
        recordedAt: 0,
        revision,
      }) as unknown as RecordedEvent,
  );
const refusal = (path: string) => ({
  code: "invalid_request",
  errors: [{ path, code: "too_many_events", message: expect.stringContaining("10000") }],
});

it("A field is explained of so many events as a call folds, and refused with the limit beyond", async () => {
  const explain = (count: number) =>
    explainField<number, RecordedEvent>("cnv_1", "unread", ["unread"], {
      events: events(count),
      evolve: (seen = 0) => seen + 1,
      show: (unread) => ({ unread }),
    });
  expect(await explain(mostFolded)).toMatchObject({ value: 10_000, earlier: true });
  await expect(explain(mostFolded + 1)).rejects.toMatchObject(refusal("field"));
});

it("The past of a stream is folded as far, and refused beyond", async () => {
  const scan = async (count: number): Promise<number> => {
    async function* scanStream() {
      yield* events(count);
    }
    let seen = 0;
    for await (const _ of scannedAtMost({ scanStream } as unknown as EventLog).scanStream(
      "thread-t",
    ))
      seen++;
    return seen;
  };
  expect(await scan(mostFolded)).toBe(10_000);
  await expect(scan(mostFolded + 1)).rejects.toMatchObject(refusal("as_of"));
});
