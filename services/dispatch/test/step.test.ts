import { deterministicId } from "@heliograph/contracts";
import type { GatewayConfig } from "@heliograph/gateways";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decideStep } from "../src/decide.ts";
import { fold } from "../src/state.ts";
import { history } from "./harness.ts";
import { drawsOf, Sim } from "./sim.ts";

const partner = deterministicId("ptn", "one");
const iso = (ms: number): string => new Date(ms).toISOString();

type Play = {
  readonly seed: number;
  readonly messages: number;
  readonly turns: number;
  readonly crashes: number;
  readonly policy: GatewayConfig["on_uncertain"];
  readonly gateways: number;
};
const plays: fc.Arbitrary<Play> = fc.record({
  seed: fc.integer(),
  messages: fc.integer({ min: 1, max: 9 }),
  turns: fc.integer({ min: 0, max: 500 }),
  /** Of a hundred turns. */
  crashes: fc.integer({ min: 0, max: 6 }),
  policy: fc.constantFrom("ask_provider", "at_least_once", "at_most_once"),
  gateways: fc.integer({ min: 1, max: 2 }),
});

const slow = [
  "",
  "append",
  "told append",
  "commit",
  "told commit",
  "call",
  "told call",
  "told take rows",
];

/** Messages go through a dispatcher to which everything happens in any order, some of it twice, and which dies between any two effects. */
async function play({ seed, messages, turns, crashes, policy, gateways }: Play): Promise<Sim> {
  const draw = drawsOf(~seed);
  const sim = new Sim(
    seed,
    Array.from({ length: gateways }, () => ({ on_uncertain: policy })),
  );
  const ids: string[] = [];
  const accept = async (): Promise<void> => {
    const index = ids.length;
    const at = iso(sim.now);
    const order = {
      message_id: deterministicId("msg", `${seed} ${index}`),
      to: `+1555000000${index % 3}`,
      created_at: at,
      expires_at: iso(sim.now + (draw() < 0.2 ? 4_000 : 3_600_000)),
      priority: index % 4,
      ...(draw() < 0.25 && { send_at: iso(sim.now + 2_000) }),
    };
    ids.push(...(await sim.accept([order], partner)));
  };
  await sim.start();
  for (let turn = 0; turn < turns; turn++) {
    const drawn = draw() * 100;
    if (draw() < 0.1) sim.slow = slow[Math.floor(draw() * slow.length)]!;
    if (drawn < crashes) await sim.start();
    else if (ids.length < messages && drawn < 30) await accept();
    else if (drawn < 40) await sim.feed();
    else if (drawn < 45) await sim.repeatEvent();
    else if (drawn < 52 && ids.length > 0)
      await sim.meddle(
        ids[Math.floor(draw() * ids.length)]!,
        draw() < 0.8 ? "BounceDeferred" : "MessageCanceled",
      );
    else if (drawn < 55) sim.tell({ type: "look over" });
    else if (drawn < 58) sim.ring();
    else await sim.advance(true);
  }
  while (ids.length < messages) await accept();
  if (crashes > 0) await sim.start();
  await sim.rest();
  await check(sim, ids);
  // What nobody does any more is the successor's.
  await sim.start();
  await sim.rest();
  await check(sim, ids);
  return sim;
}

const ends = ["DispatchExhausted", "MessageExpired", "MessageRejected", "MessageCanceled"];

async function check(sim: Sim, ids: readonly string[]): Promise<void> {
  expect(sim.faults).toEqual([]);
  expect([sim.desk.jobs.size, sim.desk.lanes.waiting]).toEqual([0, 0]);
  expect([[...sim.tables.intents], [...sim.tables.timers]]).toEqual([[], []]);
  const page = await sim.log.readAll({ after: 0n, limit: 10_000, types: ["FundsHeld"] });
  expect(sim.tables.position).toBeGreaterThanOrEqual(page.events.at(-1)?.position ?? 0n);
  for (const id of ids) {
    const events = await history(sim.log, id);
    const types = events.map(({ type }) => type);
    const at = { now: sim.now, due: true, random: 0, scale: 1 };
    // Nothing that happened to it was overlooked.
    expect([types, decideStep(fold(events), at)]).toEqual([types, { type: "nothing" }]);
    const count = (...of: readonly string[]): number =>
      types.filter((type) => of.includes(type)).length;
    // A message that was sent and came back may be given up; no other has two ends.
    const bounced = count("BounceDeferred") > 0;
    expect([types, count("MessageSent") <= 1, count(...ends) <= 1]).toEqual([types, true, true]);
    const all = count("MessageSent", ...ends);
    expect([types, all === 1 || (bounced && all === 2)]).toEqual([types, true]);
  }
}

test("in any order, repeated and with crashes between any two effects: no attempt is sent twice without a doubt, no message is lost or ends twice, and at rest nothing is left", async () => {
  await fc.assert(
    fc.asyncProperty(plays, async (each) => void (await play(each))),
    { numRuns: Number(process.env["DISPATCH_RUNS"] ?? 150) },
  );
});

test("the same desk, inputs and moment give the same effects", async () => {
  const given = {
    messages: 6,
    turns: 100,
    crashes: 5,
    policy: "at_least_once",
    gateways: 2,
  } as const;
  const calls = async (): Promise<unknown> => [...(await play({ ...given, seed: 7 })).calls];
  expect(await calls()).toEqual(await calls());
});
