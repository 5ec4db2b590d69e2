import { until } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { CommitWindow, lazyWindow, type Checkpoint } from "../src/index.ts";

/** A checkpoint whose commits end when the test lets them. */
function slowly() {
  const commits: { readonly to: bigint; end(error?: Error): void }[] = [];
  const checkpoint = {
    position: 0n,
    dealt: () => undefined,
    commit(to: bigint): Promise<void> {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const end = (error?: Error): void => {
        if (error !== undefined) return reject(error);
        checkpoint.position = to;
        resolve();
      };
      commits.push({ to, end });
      return promise;
    },
  } satisfies Checkpoint;
  return { checkpoint, commits };
}

test("one commit is under way at a time, and what comes meanwhile is in the next", async () => {
  const { checkpoint, commits } = slowly();
  let position = 1n;
  const window = new CommitWindow({
    fail: (error) => expect.unreachable(String(error)),
    dueAt: (writtenAt) => (position > checkpoint.position ? writtenAt : undefined),
    write: () => checkpoint.commit(position),
  });
  window.touch();
  await until(() => commits.length === 1);
  position = 2n;
  window.touch();
  const room = window.room(() => checkpoint.position < 2n);
  position = 3n;
  window.touch();
  // Alarms ring in the order of their times: one of the window's would have rung before this.
  await new Promise((resolve) => setTimeout(resolve, 2));
  expect(commits).toHaveLength(1);
  commits[0]!.end();
  await until(() => commits.length === 2);
  commits[1]!.end();
  await room;
  expect(commits.map(({ to }) => to)).toEqual([1n, 3n]);
  window.close();
});

test("a commit that fails is the last, and whoever waits for room hears of it", async () => {
  const { checkpoint, commits } = slowly();
  const failures: unknown[] = [];
  let waits = true;
  const window = new CommitWindow({
    fail: (error) => failures.push(error),
    dueAt: (writtenAt) => (waits ? writtenAt : undefined),
    write: () => checkpoint.commit(1n),
  });
  window.touch();
  const room = window
    .room(() => true)
    .then(
      () => "there is room",
      (error: unknown) => String(error),
    );
  await until(() => commits.length === 1);
  commits[0]!.end(new Error("the connection was lost"));
  expect(await room).toContain("lost");
  expect(failures).toHaveLength(1);
  window.touch();
  await expect(window.flush()).rejects.toThrow("lost");
  waits = false;
  expect(commits).toHaveLength(1);
  window.close();
});

test("those who want all written beside each other wait for one another, and one that fails is the last", async () => {
  const { checkpoint, commits } = slowly();
  let position = 0n;
  const window = new CommitWindow({
    fail: (error) => expect.unreachable(String(error)),
    dueAt: () => undefined,
    write: () => checkpoint.commit(++position),
  });
  const first = window.flush();
  const others = [window.flush(), window.flush()];
  await until(() => commits.length > 0);
  expect(commits).toHaveLength(1);
  commits[0]!.end();
  await first;
  await until(() => commits.length > 1);
  expect(commits).toHaveLength(2);
  commits[1]!.end(new Error("the connection was lost"));
  expect(await Promise.allSettled(others)).toMatchObject([
    { status: "rejected" },
    { status: "rejected" },
  ]);
  expect(commits).toHaveLength(2);
  window.close();
});

test("a checkpoint that is only a place to start from is written for many events at once, and not where it stands already", async () => {
  const { checkpoint, commits } = slowly();
  let position = 0n;
  const window = lazyWindow({
    checkpoint,
    fail: (error) => expect.unreachable(String(error)),
    busyMs: 1,
    position: () => position,
  });
  await window.flush();
  expect(commits).toEqual([]);
  // 501 events behind: not in a second, but in a millisecond.
  for (position = 1n; position <= 500n; position++) window.reached();
  window.reached();
  await until(() => commits.length === 1, { timeoutMs: 900 });
  expect(commits[0]!.to).toBe(501n);
  commits[0]!.end();
  await window.flush();
  expect(commits).toHaveLength(1);
});
