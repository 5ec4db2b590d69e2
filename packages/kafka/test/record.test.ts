import { loosely } from "@heliograph/testkit";
import { newId, shardOf } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import type { IHeaders, KafkaMessage, Message } from "kafkajs";
import { expect, test } from "vitest";
import { first, newLane, nextOf, nextOfShard, type Lane } from "../src/buffer.ts";
import { recordParts } from "../src/publisher.ts";
import { decodeRecord, encodeRecord, placeOf, type Chain } from "../src/record.ts";

const partners = [newId("ptn"), newId("ptn"), newId("ptn")];
const shards = 4;

const event = (position: bigint, partner?: string): RecordedEvent =>
  loosely({
    position,
    id: "5f0c5d1e-0000-4000-8000-000000000001",
    stream: `message-${position}`,
    revision: 3,
    type: "Tested",
    version: 2,
    data: { text: "zwölf 十二", cost: { micros: 7 } },
    metadata: partner === undefined ? {} : { partner },
    recordedAt: 1_790_000_000_123,
  });

/** As the broker gives it back: texts are bytes. */
const received = ({ key, value, headers }: Message): KafkaMessage & { headers: IHeaders } => ({
  key: Buffer.from(key!),
  value: Buffer.from(value!),
  headers: Object.fromEntries(
    Object.entries(headers!).map(([name, text]) => [name, Buffer.from(text as string)]),
  ),
  timestamp: "0",
  attributes: 0,
  offset: "0",
});
const newChain = (): Chain => ({ last: 0n, shards: new Map() });

test("a record gives back the event, and the places of those before it", () => {
  const chain = newChain();
  const events = [event(5n, partners[0]), event(9n), event(1n << 60n, partners[0])];
  const entries = events.map((each) => decodeRecord(received(encodeRecord(each, shards, chain)))!);
  expect(entries.map((entry) => entry.event())).toEqual(events);
  expect(entries.map(({ previous }) => previous)).toEqual([0n, 5n, 9n]);
  const shard = shardOf(partners[0], shards);
  expect(entries[2]).toMatchObject({ shard, shardPrevious: shard === 0 ? 9n : 5n });
});

test("everything of a partner has the partner's key and place; what has no partner its stream's and shard 0", () => {
  const chain = newChain();
  const [mine, nobodys] = [event(1n, partners[0]), event(2n)].map((each) =>
    encodeRecord(each, shards, chain),
  );
  expect([mine!.key, placeOf(mine!)]).toEqual([partners[0], shardOf(partners[0], shards)]);
  expect([nobodys!.key, placeOf(nobodys!)]).toEqual(["message-2", 0]);
});

test("a record that is none of ours is passed over", () => {
  const ours = received(encodeRecord(event(1n), shards, newChain()));
  expect(decodeRecord({ ...ours, headers: {} })).toBeUndefined();
  expect(decodeRecord({ ...ours, headers: { ...ours.headers, position: Buffer.from("x") } })).toBe(
    undefined,
  );
  expect(decodeRecord({ ...ours, value: null })).toBeUndefined();
});

test("a request holds at most 1 MiB, counted in bytes, unless one record alone is larger", () => {
  const message = (characters: number): Message => ({ value: "漢".repeat(characters) });
  const sizes = (messages: readonly Message[]) => recordParts(messages).map((part) => part.length);
  expect(sizes([])).toEqual([]);
  // 3 bytes a character: three of 100,000 are below 1 MiB, four are not.
  expect(sizes(Array.from({ length: 7 }, () => message(100_000)))).toEqual([3, 3, 1]);
  expect(sizes([message(1), message(1_000_000), message(1)])).toEqual([1, 1, 1]);
});

/** Lanes with the records of `count` events of three partners, as a relay would have published them into `partitions`. */
function lanesOf(count: number, partitions: number): Lane[] {
  const chain = newChain();
  const lanes = Array.from({ length: partitions }, (_, index) => newLane(index));
  for (let position = 1; position <= count; position++) {
    const message = encodeRecord(event(BigInt(position), partners[position % 3]), shards, chain);
    lanes[placeOf(message) % partitions]!.entries.push(decodeRecord(received(message))!);
  }
  return lanes;
}

/** Follows the lanes as a reader would, and notes what is read and which holes are seen. */
function follow(lanes: readonly Lane[], from = 0n): readonly string[] {
  const seen: string[] = [];
  let position = from;
  for (;;) {
    const step = nextOf(lanes, position);
    if (step.kind === "empty") return seen;
    if (step.kind === "hole") {
      seen.push(`…${step.until}`);
      position = step.until;
    } else {
      seen.push(String(step.entry.position));
      position = step.entry.position;
    }
  }
}

test("partitions are merged into the order of the log, from any position", () => {
  expect(follow(lanesOf(50, 4))).toEqual(Array.from({ length: 50 }, (_, index) => `${index + 1}`));
  expect(follow(lanesOf(20, 3), 17n)).toEqual(["18", "19", "20"]);
});

test("a record that is missing shows as a hole up to where the rest begins, and one that comes twice is passed over", () => {
  const lanes = lanesOf(12, 4);
  for (const lane of lanes) {
    const kept = lane.entries.filter((entry) => entry?.position !== 5n && entry?.position !== 6n);
    lane.entries.splice(0, lane.entries.length, ...kept, ...kept.slice(0, 2));
  }
  expect(follow(lanes)).toEqual(["1", "2", "3", "4", "…6", "7", "8", "9", "10", "11", "12"]);
});

test("a shard is followed by its own chain", () => {
  const lane = newLane(0);
  const chain = newChain();
  const messages = [1n, 2n, 3n, 4n].map((position) =>
    encodeRecord(event(position, position === 3n ? undefined : partners[0]), 1_024, chain),
  );
  const entries = messages.map((message) => decodeRecord(received(message))!);
  lane.entries.push(entries[0]!, entries[3]!);
  expect(nextOfShard(lane, 0n)).toMatchObject({ kind: "next", entry: { position: 1n } });
  expect(nextOfShard(lane, 1n)).toEqual({ kind: "hole", until: 2n });
  expect(nextOfShard(lane, 2n)).toMatchObject({ kind: "next", entry: { position: 4n } });
  expect(nextOfShard(lane, 4n)).toEqual({ kind: "empty" });
  expect(first(lane)).toBeUndefined();
});
