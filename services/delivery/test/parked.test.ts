import { newId } from "@heliograph/contracts";
import { LogUnavailable } from "@heliograph/log";
import { runConsumer, type Checkpoint, type WritePart } from "@heliograph/runtime";
import { until } from "@heliograph/testkit";
import { expect, it } from "vitest";
import { receiptsReactor } from "../src/index.ts";
import { openParked } from "../src/parked.ts";
import { onMessage, onReceipts, receiptOf, requestOf, requested, sent } from "./facts.ts";
import { openSetting } from "./setting.ts";

it("Receipts that waited are matched although the log fails the append that they lead to", async () => {
  const setting = await openSetting();
  let failing = false;
  let failed = false;
  const log: typeof setting.log = {
    ...setting.log,
    append(appends) {
      if (!failing || failed) return setting.log.append(appends);
      failed = true;
      return Promise.reject(new LogUnavailable("the log is away"));
    },
  };
  const consumer = await runConsumer(receiptsReactor, { ...setting.context, log });
  try {
    const id = newId("msg");
    await setting.append(onReceipts(id, receiptOf(id, "delivered")));
    await consumer.caughtUp(await setting.log.head());
    failing = true;
    const request = requestOf(id);
    await setting.append(onMessage(id, "no_stream", requested(request), sent(request)));
    await until(async () => (await setting.state(id)).status === "delivered");
    expect(failed).toBe(true);
  } finally {
    await consumer.stop();
    await setting.close();
  }
});

it("Rows go with the position of the batch that asked for them, and after a commit that failed none moves the checkpoint past what it would have stored", async () => {
  const commits: { position: bigint; parts: readonly WritePart[] }[] = [];
  let away = false;
  const checkpoint: Checkpoint = {
    position: 0n,
    dealt: () => undefined,
    commit(position, parts = []) {
      if (away) return Promise.reject(new Error("the connection was lost"));
      commits.push({ position, parts });
      return Promise.resolve();
    },
  };
  const parked = openParked(new Map(), checkpoint, () => undefined);
  const [one, other] = [newId("msg"), newId("msg")];
  parked.add(one, undefined, 0);
  parked.reached(7n);
  // Of a batch that is not dealt with.
  parked.add(other, undefined, 0);
  await parked.flush();
  const only = [{ position: 7n, parts: [{ values: [[one], expect.anything(), [null]] }] }];
  expect(commits).toMatchObject(only);
  away = true;
  parked.reached(8n);
  await expect(parked.flush()).rejects.toThrow("lost");
  away = false;
  parked.reached(9n);
  await expect(parked.flush()).rejects.toThrow("lost");
  expect(commits).toMatchObject(only);
});
