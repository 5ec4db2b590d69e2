import type { Stop } from "@heliograph/acceptance";
import { newId } from "@heliograph/contracts";
import { loosely } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { createClearance } from "../src/clearance.ts";
import { moverOf } from "../src/moves.ts";
import type { State } from "../src/state.ts";

const state: State = loosely({
  request: { channel: "push", to: newId("dev"), content: { text: "Hi" } },
  requestEvent: { metadata: { partner: "ptn_1" } },
});

/** A clearance to whom it is told later whether the recipient has opted out. */
function clearanceOf(tokenOf: () => Promise<string | undefined>) {
  const found = Promise.withResolvers<Stop | undefined>();
  const clear = createClearance(
    loosely(undefined),
    { find: () => found.promise, movedTo: () => undefined },
    () => undefined,
    tokenOf,
  );
  return { clear, found };
}

test("a device's token is asked for once nothing stops the message, so that no failure of that goes unheard", async () => {
  let asked = 0;
  const failing = async (): Promise<undefined> => {
    asked++;
    throw new Error("the database is away");
  };
  const one = clearanceOf(failing);
  const stopped = one.clear(state);
  one.found.resolve(loosely({ id: "sup_1", reason: "keyword" }));
  expect(await stopped).toMatchObject({ type: "stopped" });
  expect(asked).toBe(0);
  const other = clearanceOf(failing);
  const cleared = other.clear(state);
  other.found.resolve(undefined);
  await expect(cleared).rejects.toThrow("away");
});

test("a sender that no gateway may send to the country ends the message before anybody is asked", async () => {
  const to: string[] = [];
  const clear = createClearance(
    loosely(undefined),
    {
      find: () => loosely(expect.unreachable("asked for suppressions")),
      movedTo: () => undefined,
    },
    () => undefined,
    undefined,
    (_, address) => {
      to.push(address);
      return "numbers of +1 take no names";
    },
  );
  const sms: State = loosely({ ...state, request: { channel: "sms", to: "+15551230001" } });
  expect(await clear(sms)).toEqual({
    type: "sender_refused",
    reason: "numbers of +1 take no names",
  });
  expect(to).toEqual(["+15551230001"]);
});

test("who has moved is written to where he is now, and whoever has not as the message says", async () => {
  const clear = createClearance(
    loosely(undefined),
    {
      find: () => undefined,
      movedTo: (partner, { channel, to }) =>
        `${partner} ${channel} ${to}` === "ptn_1 telegram -55"
          ? Promise.resolve("-100123")
          : undefined,
    },
    () => undefined,
  );
  const of = (to: string): State =>
    loosely({ ...state, request: { channel: "telegram", to, content: { text: "Hi" } } });
  expect(await clear(of("-55"))).toEqual({
    type: "cleared",
    opened: { to: "-100123", content: { text: "Hi" } },
  });
  expect(await clear(of("-56"))).toEqual({ type: "cleared", opened: undefined });
});

test("where somebody has moved to he is not written to who opted out there, but for the answer to that, and nothing waits for the move to be kept", async () => {
  const asked: unknown[] = [];
  const context = { log: {}, vault: { name: () => "", seal: () => new Promise(() => undefined) } };
  const onMoved = moverOf(loosely(context), {
    find: async (...of) => {
      asked.push(of);
      return of[1].category === "marketing" ? loosely({ id: "sup_1" }) : undefined;
    },
  });
  const tell = (changes: object) =>
    onMoved(
      loosely({ partner: "ptn_1", channel: "telegram", to: "-55", messageId: "msg_1", ...changes }),
      "-100123",
    );
  expect(await tell({ category: "marketing" })).toBe(false);
  expect(await tell({ category: "transactional" })).toBe(true);
  const there = { channel: "telegram", to: "-100123" };
  expect(asked).toEqual([
    ["ptn_1", { ...there, category: "marketing" }],
    ["ptn_1", { ...there, category: "transactional" }],
  ]);
  expect(await tell({ category: "marketing", automatic: true })).toBe(true);
});
