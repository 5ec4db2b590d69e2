import { loosely, testDatabase, until, type TestDatabase } from "@heliograph/testkit";
import { eventStoreDouble, type EventStoreDouble } from "@heliograph/testkit/eventstore";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  copyLog,
  openEventStoreCopySource,
  openEventStoreCopyTarget,
  openEventStoreLog,
  openPostgresCopySource,
  openPostgresCopyTarget,
  openPostgresLog,
  verifyCopy,
  type EventLog,
} from "../src/index.ts";
import { calm, everything, fill, move } from "./copy-support.ts";
import { newStream, watch } from "./support.ts";

let database: TestDatabase;
let double: EventStoreDouble;
let logs: EventLog[];
beforeEach(async () => {
  [database, double] = await Promise.all([testDatabase(), eventStoreDouble()]);
  logs = [];
});
afterEach(async () => {
  for (const log of logs) await log.close();
  await Promise.all([database.drop(), double.close()]);
});

const kept = (log: EventLog): EventLog => {
  logs.push(log);
  return log;
};
const postgres = async () =>
  kept(await openPostgresLog({ connection: database.config, namespace: "live" }));
const store = async (namespace = "live") =>
  kept(await openEventStoreLog({ connectionString: double.connectionString, namespace }));
const fromPostgres = () =>
  openPostgresCopySource({ connection: database.config, namespace: "live" });
const toPostgres = () => openPostgresCopyTarget({ connection: database.config, namespace: "live" });
const side = () => ({ connectionString: double.connectionString, namespace: "live" });
const fromStore = () => openEventStoreCopySource(side());
const toStore = () => openEventStoreCopyTarget(side());

async function fillPostgres(rounds: number): Promise<void> {
  const log = await openPostgresLog({ connection: database.config, namespace: "live" });
  await fill(log, rounds);
  await log.close();
}

/** What a namespace beside this one leaves in the server's log. */
async function disturb(): Promise<void> {
  double.store.writeSystemRecord();
  const other = await openEventStoreLog({ ...side(), namespace: "sandbox" });
  await fill(other, 3);
  await other.close();
}

describe("a copy from PostgreSQL to EventStoreDB", { timeout: 120_000 }, () => {
  it("keeps every field and position, and what is appended later comes after", async () => {
    await disturb();
    await fillPostgres(130);
    const { copied, verified } = await move(await fromPostgres(), await toStore());
    expect(verified).toMatchObject({ equal: true, events: copied.events });
    await disturb();
    const log = await store();
    const all = await everything(log);
    expect(all).toEqual(await everything(await postgres()));
    const [outcome] = await log.append([newStream()]);
    expect(outcome!.kind).toBe("appended");
    const after = await everything(log);
    expect(after).toHaveLength(all.length + 1);
    expect(after.at(-1)!.position).toBeGreaterThan(copied.head);
    expect(outcome).toMatchObject({ position: after.at(-1)!.position });
    expect(await log.readAt(all[321]!.position)).toEqual(all[321]);
    expect(await log.readAt(copied.head + 1n)).toBeUndefined();
    expect(await log.readAt(after.at(-1)!.position)).toEqual(after.at(-1));
    const { stream } = all.find((event) => event.revision > 40)!;
    const copiedStream = all.filter((event) => event.stream === stream);
    expect(await log.readStream(stream)).toEqual(copiedStream);
    const [next] = await log.append([
      { ...newStream(), stream, expected: copiedStream.at(-1)!.revision },
    ]);
    expect(next!.kind).toBe("appended");
  });

  it("lets a subscription go on from any old checkpoint with exactly what follows", async () => {
    await disturb();
    await fillPostgres(250);
    const { copied } = await move(await fromPostgres(), await toStore());
    await disturb();
    const log = await store();
    const all = await everything(log);
    const places = [0n, 1n, 499n, 500n, 501n, 777n, copied.head - 1n, copied.head];
    const watchers = places.flatMap((after) => [
      { after, types: undefined, watcher: watch(log, { after }) },
      {
        after,
        types: loosely(["Other"]),
        watcher: watch(log, { after, types: loosely(["Other"]) }),
      },
    ]);
    await log.append([newStream(), newStream({ type: "Other" })]);
    await disturb();
    await log.append([newStream({ type: "Other" })]);
    const full = await everything(log);
    expect(full).toHaveLength(all.length + 3);
    for (const { after, types, watcher } of watchers) {
      const following = full.filter(
        (one) => one.position > after && (types === undefined || types.includes(one.type)),
      );
      await until(() => watcher.events.length >= following.length);
      await watcher.stop();
      expect(watcher.events).toEqual(following);
    }
  });

  it("finds an event behind more records of others than are read at once", async () => {
    await fillPostgres(1);
    await move(await fromPostgres(), await toStore());
    await fillPostgres(1);
    for (let count = 0; count < 2_500; count++) double.store.writeSystemRecord();
    await move(await fromPostgres(), await toStore());
    const log = await store();
    const all = await everything(log);
    for (const one of all) expect(await log.readAt(one.position)).toEqual(one);
  });

  it("survives a cut at any message of the protocol, in as many runs as it takes", async () => {
    await fillPostgres(30);
    await move(await fromPostgres(), await toStore());
    const messages = double.faults.messages;
    const reference = double.records.length;
    for (let cut = 2; cut < messages; cut += 61) {
      const own = await eventStoreDouble();
      const [source, target] = await Promise.all([
        fromPostgres(),
        openEventStoreCopyTarget({ ...side(), connectionString: own.connectionString }),
      ]);
      own.faults.cutAt(cut);
      const run = move(source, target).catch(() => undefined);
      const first = await run;
      const result =
        first ??
        (await move(
          await fromPostgres(),
          await openEventStoreCopyTarget({ ...side(), connectionString: own.connectionString }),
        ));
      expect(result.verified.equal).toBe(true);
      expect(own.records.length).toBeLessThan(reference + 5);
      await own.close();
    }
  }, 120_000);

  it("goes on where it was stopped, and services are refused until it has ended", async () => {
    await fillPostgres(400);
    for (const pages of [1, 2]) {
      const [source, target] = [await fromPostgres(), await toStore()];
      const abort = new AbortController();
      let seen = 0;
      const onProgress = () => void (++seen === pages && abort.abort(new Error("stopped")));
      const copying = copyLog({ source: source.log, target, signal: abort.signal, onProgress });
      await expect(copying).rejects.toThrow("stopped");
      await Promise.all([source.close(), target.close()]);
      await expect(openEventStoreLog(side())).rejects.toThrow("has not ended: run copy-log again");
      await expect(fromStore()).rejects.toThrow("has not ended");
    }
    const { copied, verified } = await move(await fromPostgres(), await toStore());
    expect(verified.equal).toBe(true);
    expect(copied.events).toBe(Number(copied.head) - 3 * 500);
  });

  it("refuses another copy at the next mark, and an append of a service in between", async () => {
    await fillPostgres(200);
    const [source, first, second] = [await fromPostgres(), await toStore(), await toStore()];
    const intruder = await store();
    const page = await source.log.readAll({ after: 0n, limit: 500 });
    await first.write(page.events.slice(0, 10));
    await intruder.append([newStream()]);
    await expect(first.finish(10n)).rejects.toThrow("was not written by this copy");
    await expect(second.write(page.events)).rejects.toThrow("another copy-log writes");
    await Promise.all([source.close(), first.close(), second.close()]);
  });
});

describe("a round trip over EventStoreDB", { timeout: 120_000 }, () => {
  it("gives back the same log, with what was appended there, again and again", async () => {
    await fillPostgres(60);
    for (let round = 0; round < 3; round++) {
      const there = await move(await fromPostgres(), await toStore());
      expect(there.verified.equal).toBe(true);
      await disturb();
      const log = await openEventStoreLog(side());
      await fill(log, 20);
      const inStore = await everything(log);
      await log.close();
      const back = await move(await fromStore(), await toPostgres());
      expect(back.verified.equal).toBe(true);
      expect(back.copied.events).toBe(20 * 5 + 10);
      expect(back.verified.events).toBe(inStore.length);
      await fillPostgres(5);
      const inPostgres = await openPostgresLog({
        connection: database.config,
        namespace: "live",
      });
      const all = await everything(inPostgres);
      await inPostgres.close();
      expect(all.slice(0, inStore.length)).toEqual(inStore);
      expect(all[inStore.length]!.position).toBeGreaterThan(back.copied.head);
    }
  });

  it("reads across every seam from every place", async () => {
    const native = await openEventStoreLog(side());
    await fill(native, 4);
    await native.close();
    await disturb();
    for (let round = 0; round < 2; round++) {
      await move(await fromStore(), await toPostgres());
      await fillPostgres(4);
      await disturb();
      await move(await fromPostgres(), await toStore());
      await disturb();
      const log = await openEventStoreLog(side());
      await fill(log, 2);
      await log.close();
    }
    const log = await store();
    const all = await everything(log);
    const { events: once } = await log.readAll({ after: 0n, limit: 10_000 });
    expect(all).toEqual(once);
    expect(all).toHaveLength(22 + 2 * (22 + 11));
    for (const [index, one] of all.entries()) {
      const { events } = await log.readAll({ after: one.position, limit: 3 });
      expect(events).toEqual(all.slice(index + 1, index + 4));
      expect(await log.readAt(one.position)).toEqual(one);
    }
    expect(all.every((one, index) => index === 0 || one.position > all[index - 1]!.position)).toBe(
      true,
    );
  });

  it("finds an event that differs in EventStoreDB", async () => {
    await fillPostgres(30);
    await move(await fromPostgres(), await toStore());
    const index = double.store.records.findIndex((one) => one.stream.startsWith("live.shared"));
    const record = double.store.records[index]!;
    const metadata = JSON.parse(Buffer.from(record.metadata).toString());
    const position = BigInt(metadata.heliograph.position);
    const damaged = { ...record, data: Buffer.from('{"round":-1}') };
    double.store.records[index] = damaged;
    const [source, target] = [await fromPostgres(), await toStore()];
    const head = await source.log.head();
    const verified = await verifyCopy({
      source: source.log,
      target: target.log,
      head,
      signal: calm,
    });
    await Promise.all([source.close(), target.close()]);
    const difference = { position, what: "data or metadata differ" };
    expect(verified).toMatchObject({ equal: false, difference });
  });
});

it("leaves a namespace that is empty as it is", async () => {
  await fillPostgres(0);
  const { copied, verified } = await move(await fromPostgres(), await toStore());
  expect(copied).toEqual({ events: 0, head: 0n });
  expect(verified.equal).toBe(true);
  const log = await store();
  const [outcome] = await log.append([newStream()]);
  expect(outcome!.kind).toBe("appended");
});
