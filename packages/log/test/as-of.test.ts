import { expect, test } from "vitest";
import { endingAt, openMemoryLog, positionBefore } from "../src/index.ts";

const append = async (log: ReturnType<typeof openMemoryLog>, stream: string, note: string) => {
  const events = [{ id: crypto.randomUUID(), type: "Noted", data: { note }, metadata: {} }];
  const [outcome] = await log.append([{ stream, expected: "any", events }]);
  return (outcome as { position: bigint }).position;
};

test("the log as it ended at a position shows nothing that came later, whichever way it is read, and takes nothing", async () => {
  const log = openMemoryLog();
  const positions: bigint[] = [];
  for (let number = 0; number < 6; number++)
    positions.push(await append(log, number % 2 ? "message-b" : "message-a", String(number)));
  for (const [last, end] of positions.entries()) {
    const past = endingAt(log, end).forPartner("ptn_x");
    const until = (stream: string) =>
      [0, 1, 2, 3, 4, 5]
        .filter((number) => number <= last && (number % 2 ? "message-b" : "message-a") === stream)
        .map(String);
    const notes = (events: readonly { readonly data: object }[]) =>
      events.map(({ data }) => (data as { note: string }).note);
    for (const stream of ["message-a", "message-b", "message-none"]) {
      const expected = until(stream);
      expect(notes(await past.readStream(stream))).toEqual(expected);
      expect(notes(await past.readStream(stream, { backwards: true }))).toEqual(
        expected.toReversed(),
      );
      expect(notes(await past.readStream(stream, { backwards: true, limit: 1 }))).toEqual(
        expected.slice(-1),
      );
      expect(notes(await past.readStream(stream, { backwards: true, from: 0 }))).toEqual(
        expected.slice(0, 1),
      );
      expect(notes(await past.readStream(stream, { backwards: true, from: 5 }))).toEqual(
        expected.toReversed(),
      );
      expect(notes(await Array.fromAsync(past.scanStream(stream)))).toEqual(expected);
      expect(notes(await Array.fromAsync(past.scanStream(stream, { backwards: true })))).toEqual(
        expected.toReversed(),
      );
      expect(notes((await past.readStreams([stream])).get(stream)!)).toEqual(expected);
    }
    const page = await past.readAll({ after: 0n, limit: 100 });
    expect([page.events.length, page.position, page.head, await past.head()]).toEqual([
      last + 1,
      end,
      end,
      end,
    ]);
    expect(await past.readAt(end + 1n)).toBeUndefined();
    expect(await past.readAt(end)).toBeDefined();
    await expect(past.append([])).rejects.toThrow("only read");
  }
  await log.close();
});

test("the position before a time is found by halving", async () => {
  let at = 0;
  const log = openMemoryLog({ upcast: (event) => ({ ...event, recordedAt: (at += 10) }) });
  for (let number = 0; number < 9; number++) await append(log, "message-a", String(number));
  for (const [timeMs, position] of [
    [10, 0n],
    [11, 1n],
    [45, 4n],
    [90, 8n],
    [1_000, 9n],
  ] as const)
    expect(await positionBefore(log, timeMs)).toBe(position);
  await log.close();
});

const noteOf = (data: object): string => (data as { note: string }).note;

test("a clock that was set back makes only the times that were twice ambiguous", async () => {
  const times = [10, 20, 30, 40, 50, 25, 35, 45, 55, 60];
  const log = openMemoryLog({
    upcast: (event) => ({ ...event, recordedAt: times[Number(noteOf(event.data))]! }),
  });
  for (const index of times.keys()) await append(log, "message-a", String(index));
  expect([await positionBefore(log, 21), await positionBefore(log, 56)]).toEqual([2n, 9n]);
  for (let timeMs = 26; timeMs <= 50; timeMs++) {
    const at = Number(await positionBefore(log, timeMs));
    expect(times[at - 1]! < timeMs && times[at]! >= timeMs).toBe(true);
  }
  await log.close();
});
