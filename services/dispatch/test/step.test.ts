import { deterministicId } from "@heliograph/contracts";
import type { GatewayConfig } from "@heliograph/gateways";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decideStep } from "../src/decide.ts";
import { fold } from "../src/state.ts";
import { history } from "./harness.ts";
import { Sim } from "./sim.ts";
import { drawsOf } from "./sim-world.ts";

const partner = deterministicId("ptn", "one");
const HOUR_MS = 3_600_000;
const iso = (ms: number): string => new Date(ms).toISOString();

const runs = Number(process.env["DISPATCH_RUNS"] ?? 100);

type Play = {
  readonly seed: number;
  readonly messages: number;
  readonly turns: number;
  /** Of a hundred turns: a process dies, is stopped, is replaced without knowing it, or has its clock moved. */
  readonly crashes: number;
  readonly moves: boolean;
  readonly policy: GatewayConfig["on_uncertain"];
  readonly gateways: number;
};
const plays: fc.Arbitrary<Play> = fc.record({
  seed: fc.integer(),
  messages: fc.integer({ min: 1, max: 9 }),
  turns: fc.integer({ min: 0, max: 500 }),
  crashes: fc.integer({ min: 0, max: 6 }),
  moves: fc.boolean(),
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
  "answer",
  "told answer",
  "prove",
  "told take rows",
];
const ends = ["dies", "goes on", "was away and goes on", "is stopped", "has no time left"] as const;

/** Messages go through dispatchers to which everything happens in any order, some of it twice. One dies between any two effects, is stopped, is replaced and does not know it, or has its clock moved. */
async function play({ seed, messages, turns, crashes, moves, policy, gateways }: Play) {
  const draw = drawsOf(~seed);
  const sim = new Sim(
    seed,
    Array.from({ length: gateways }, () => ({ on_uncertain: policy })),
  );
  sim.clocksMove = moves;
  const ids: string[] = [];
  const oneId = (): string => ids[Math.floor(draw() * ids.length)]!;
  const accept = async (): Promise<void> => {
    const index = ids.length;
    const order = {
      message_id: deterministicId("msg", `${seed} ${index}`),
      to: `+1555000000${index % 3}`,
      created_at: iso(sim.now),
      expires_at: iso(sim.now + (draw() < 0.2 ? 4_000 : 4 * HOUR_MS)),
      priority: index % 4,
      ...(draw() < 0.25 && { send_at: iso(sim.now + 2_000) }),
    };
    ids.push(...(await sim.accept([order], partner)));
  };
  const replace = async (): Promise<void> => {
    const how = ends[Math.floor(draw() * ends.length)]!;
    if (how === "dies" || how === "goes on" || how === "was away and goes on")
      return sim.start(how, moves);
    sim.process.stop();
    if (how === "has no time left") sim.process.end(true);
  };
  await sim.start("dies");
  for (let turn = 0; turn < turns; turn++) {
    const drawn = draw() * 100;
    const process = draw() < 0.7 ? sim.process : sim.anyone();
    if (draw() < 0.1) process.slow = slow[Math.floor(draw() * slow.length)]!;
    if (sim.process.isOver || drawn < crashes) await replace();
    else if (drawn < 7 && moves) process.skewMs = sim.oneOf([-HOUR_MS, 0, HOUR_MS]);
    else if (ids.length < messages && drawn < 30) await accept();
    else if (drawn < 40) await sim.feed(process);
    else if (drawn < 45) await sim.repeatEvent();
    else if (drawn < 54 && ids.length > 0)
      await sim.meddle(
        oneId(),
        sim.oneOf(["BounceDeferred", "BounceDeferred", "MessageCanceled", "ReceiptReceived"]),
      );
    else if (drawn < 57) process.tell({ type: "look over" });
    else if (drawn < 60) sim.ring();
    else await process.advance(true);
  }
  while (ids.length < messages) await accept();
  await sim.rest();
  await check(sim, ids);
  // What nobody does any more is the successor's.
  await sim.start("dies");
  await sim.rest();
  await check(sim, ids);
  return sim;
}

const finals = ["DispatchExhausted", "MessageExpired", "MessageRejected", "MessageCanceled"];

async function check(sim: Sim, ids: readonly string[]): Promise<void> {
  expect(sim.faults).toEqual([]);
  const { desk } = sim.process;
  expect([desk.jobs.size, desk.lanes.waiting, sim.placesLeft]).toEqual([0, 0, 0]);
  expect([[...sim.tables.intents], [...sim.tables.timers]]).toEqual([[], []]);
  const page = await sim.log.readAll({ after: 0n, limit: 10_000, types: ["FundsHeld"] });
  expect(sim.tables.position).toBeGreaterThanOrEqual(page.events.at(-1)?.position ?? 0n);
  for (const id of ids) {
    const events = await history(sim.log, id);
    const types = events.map(({ type }) => type);
    const at = { now: sim.now, waited: Infinity, random: 0, scale: 1 };
    // Nothing that happened to it was overlooked.
    expect([types, decideStep(fold(events), at)]).toEqual([types, { type: "nothing" }]);
    const count = (...of: readonly string[]): number =>
      types.filter((type) => of.includes(type)).length;
    // A message that was sent and came back may be given up; no other has two ends.
    const twice = count("BounceDeferred") > 0;
    expect([types, count("MessageSent") <= 1, count(...finals) <= 1]).toEqual([types, true, true]);
    const all = count("MessageSent", ...finals);
    expect([types, all === 1 || (twice && all === 2)]).toEqual([types, true]);
    if (sim.proven.has(id)) expect(types).toContain("MessageSent");
  }
}

test(
  "in any order, repeated, with crashes, stops, failed commits, moved clocks and owners that are none any more: no attempt is sent twice without a doubt, none before or after its time, no message is lost or ends twice, and at rest nothing is left",
  async () => {
    await fc.assert(
      fc.asyncProperty(plays, async (each) => void (await play(each))),
      { numRuns: runs },
    );
  },
  60_000 + 200 * runs,
);

test("the same desk, inputs and moment give the same effects", async () => {
  const given = {
    messages: 6,
    turns: 100,
    crashes: 5,
    moves: true,
    policy: "at_least_once",
    gateways: 2,
  } as const;
  const calls = async (): Promise<unknown> => [...(await play({ ...given, seed: 7 })).calls];
  expect(await calls()).toEqual(await calls());
});
