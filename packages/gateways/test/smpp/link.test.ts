import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Link } from "../../src/smpp/link.ts";
import type { Outcome, Session, SessionEvents } from "../../src/smpp/session.ts";
import type { Submit } from "../../src/smpp/submit.ts";
import { timing as usual } from "../../src/smpp/timing.ts";

const timing = {
  ...usual,
  retryMs: 100,
  longestRetryMs: 800,
  stableMs: 5_000,
  throttledMs: 100,
  longestThrottledMs: 400,
};
const throttled = 0x58;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  // What is drawn is the whole of it.
  vi.spyOn(Math, "random").mockReturnValue(1);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** A link whose connections are made at once, and whose submits are answered with what `answer` has. */
async function boundLink() {
  const binds: { readonly at: number; readonly events: SessionEvents }[] = [];
  const answer = { status: 0 };
  const submit = async (): Promise<Outcome> => ({
    type: "answered",
    status: answer.status,
    messageId: "1",
  });
  const session = { closed: false, outstanding: 0, submit, close: async () => undefined };
  const link = new Link({
    transmits: true,
    window: 10,
    timing,
    open: async (events) => {
      binds.push({ at: performance.now(), events });
      return session as unknown as Session;
    },
    delivered: async () => 0,
    room: () => undefined,
    failed: () => undefined,
    tell: () => undefined,
  });
  link.start();
  await vi.advanceTimersByTimeAsync(0);
  return {
    link,
    answer,
    binds,
    send() {
      link.reserve();
      return link.submit({} as Submit, 1_000, () => undefined);
    },
    /** The connection lasts so long and ends; gives how long it takes until the next is tried. */
    async endAfter(lastedMs: number): Promise<number> {
      await vi.advanceTimersByTimeAsync(lastedMs);
      const ended = performance.now();
      binds.at(-1)!.events.closed("the message centre has hung up");
      return ended;
    },
  };
}

test("a bind that is throttled rests, longer each time it is told so again, and not once it is taken", async () => {
  const { link, answer, send } = await boundLink();
  const rests = async (status: number): Promise<number> => {
    answer.status = status;
    const begun = performance.now();
    // The rest of the window is told the same: one refusal and not three.
    await Promise.all([send(), send(), send()]);
    while (!link.hasRoom) await vi.advanceTimersByTimeAsync(10);
    return performance.now() - begun;
  };
  expect([await rests(throttled), await rests(throttled)]).toEqual([100, 200]);
  expect([await rests(throttled), await rests(throttled)]).toEqual([400, 400]);
  expect(await rests(0)).toBe(0);
  expect(await rests(throttled)).toBe(100);
  await link.close();
});

test("a connection that ends again and again is waited for longer each time, and no hope after three", async () => {
  const { link, binds, endAfter } = await boundLink();
  const delays: number[] = [];
  const hopes: boolean[] = [];
  for (const lastedMs of [0, 0, 0, 0, 5_000, 0]) {
    const ended = await endAfter(lastedMs);
    hopes.push(link.trying);
    const before = binds.length;
    while (binds.length === before) await vi.advanceTimersByTimeAsync(10);
    delays.push(binds.at(-1)!.at - ended);
    expect(link.up).toBe(true);
  }
  // One that lasted was good: what comes behind it is the first failure again.
  expect(delays).toEqual([100, 200, 400, 800, 100, 200]);
  expect(hopes).toEqual([true, true, true, false, true, true]);
  await link.close();
});
