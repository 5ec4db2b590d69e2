import { createHash } from "node:crypto";
import fc from "fast-check";
import { drawsOf } from "../../services/dispatch/test/sim-world.ts";
import { keyIdOf } from "@heliograph/vault";
import { faultsOfBroadcasts } from "./broadcasts-faults.ts";
import { faultsOf } from "./invariants.ts";
import { faultsOfPeople } from "./peoples-faults.ts";
import { Platform } from "./platform.ts";

const HOUR_MS = 3_600_000;
/** What lies between two turns, where it is more than nothing. */
const waitsMs = [20, 100, 1_000, 5_000, 20_000];
const counted: ReadonlySet<string> = new Set(["MessageRequested", "MessageReceived"]);
const token = /sealed:v1\.[\w-]{22}\.[\w-]{38,}/gu;
/** Longer than any message is valid and any hold is kept for it. */
const SLEEP_MS = 48 * HOUR_MS;

export type Play = {
  readonly seed: number;
  readonly messages: number;
  readonly turns: number;
  /** Of a hundred turns so many replace somebody: a process dies, is stopped, or is replaced and does not know it. */
  readonly crashes: number;
  /** Clocks are set by an hour. */
  readonly moves: boolean;
  readonly policy: "ask_provider" | "at_least_once" | "at_most_once";
  readonly gateways: number;
  /** What is paid in at first and again on the way; not always enough. */
  readonly funds: string;
  /** Endpoints of webhooks that are there at first; without them there are none later either. */
  readonly hooks?: number;
  /** Who may write, and whose contacts are kept. */
  readonly people?: number;
  /** What is sent is counted. */
  readonly usage?: boolean;
  /** Most broadcasts; without people there are none. */
  readonly broadcasts?: number;
  /** Some messages have hours in which they are not sent. */
  readonly quiet?: boolean;
  /** All processes sleep for days now and then. */
  readonly sleeps?: boolean;
};

export const plays = (messages: number): fc.Arbitrary<Play> =>
  fc.record({
    seed: fc.integer(),
    messages: fc.integer({ min: 1, max: messages }),
    turns: fc.integer({ min: 0, max: 40 * messages }),
    crashes: fc.integer({ min: 0, max: 5 }),
    moves: fc.boolean(),
    policy: fc.constantFrom("ask_provider", "at_least_once", "at_most_once"),
    gateways: fc.integer({ min: 1, max: 2 }),
    funds: fc.constantFrom("0", "1", "10", "1000"),
    hooks: fc.integer({ min: 0, max: 3 }),
    people: fc.constantFrom(0, 0, 1, 2, 4),
    quiet: fc.boolean(),
    sleeps: fc.boolean(),
    usage: fc.boolean(),
    broadcasts: fc.constantFrom(0, 0, 1, 3),
  });

export type Played = {
  readonly faults: readonly string[];
  readonly digest: string;
  /** What happened at all. */
  readonly types: ReadonlySet<string>;
  /** That were sent and that came in. */
  readonly messages: number;
  readonly requests: number;
  readonly deliveries: number;
};

/** Lets one play happen and come to rest; gives what then does not hold, and the same digest whenever it is played. */
export async function play(given: Play): Promise<Played> {
  const { seed, messages, turns, moves, policy, gateways, funds, hooks = 0 } = given;
  const configs = (["sms", "email", "whatsapp"] as const).flatMap((channel) =>
    Array.from({ length: gateways }, () => ({ channel, on_uncertain: policy })),
  );
  const platform = await Platform.open(seed, configs, moves, given);
  platform.hasQuietHours = given.quiet === true;
  try {
    const draw = drawsOf(~seed);
    for (let made = 0; made < hooks; made++) await platform.addEndpoint();
    await platform.topUp(funds === "0" ? "0.012" : funds);
    for (let turn = 0; turn < turns; turn++) await takeTurn(platform, given, draw);
    while (platform.ids.length < messages) await platform.accept();
    await platform.rest();
    // Word of what was sent comes late, and what it leads to is done too.
    for (let late = 0; late < messages; late++) await platform.report();
    await platform.rest();
    await platform.broadcasts?.wakeUp(platform.senders);
    if (platform.broadcasts !== undefined) await platform.rest();
    const last = await platform.acceptLast();
    if (last.size > 0) await platform.rest();
    const faults = [
      ...(await faultsOf(platform)),
      ...(await faultsOfPeople(platform, last)),
      ...(await faultsOfBroadcasts(platform)),
    ];
    return { faults, ...(await logOf(platform)), ...platform.delivered };
  } finally {
    platform.close();
  }
}

async function takeTurn(platform: Platform, given: Play, draw: () => number): Promise<void> {
  const { sim } = platform;
  const { messages, crashes, moves, funds, hooks = 0, people = 0, sleeps } = given;
  const drawn = draw() * 100;
  const process = draw() < 0.7 ? sim.process : sim.anyone();
  if (people > 0 && draw() < 0.15) await takePeoplesTurn(platform, given, draw);
  else if (sim.process.isOver) await sim.start("dies", moves);
  else if (drawn < crashes) await replaceSomebody(platform, moves, draw);
  else if (drawn < 6 && moves) process.skewMs = sim.oneOf([-HOUR_MS, 0, HOUR_MS]);
  else if (drawn < 7 && funds !== "0") await platform.topUp(funds);
  else if (drawn < 15 && platform.ids.length < messages) await platform.accept();
  else if (drawn < 25) await sim.feed(process);
  else if (drawn < 27) await sim.repeatEvent();
  else if (drawn < 32) await platform.report();
  else if (drawn < 33 && platform.ids.length > 0)
    await sim.meddle(sim.oneOf(platform.ids), "MessageCanceled");
  else if (drawn < 34) process.tell({ type: "look over" });
  else if (drawn < 36) sim.ring();
  else if (drawn < 39) await platform.pass(sim.oneOf(waitsMs));
  else if (drawn < 39.5 && sleeps) await platform.sleep(SLEEP_MS);
  else if (drawn < 42 && hooks > 0) await platform.edit();
  else if (drawn < 70) await platform.step();
  else await process.advance(true);
  // A request reads and writes many times.
  for (let count = 0; people > 0 && count < 3; count++) {
    await platform.people!.advance();
    await platform.step();
  }
  await platform.settle();
}

async function takePeoplesTurn(
  platform: Platform,
  { crashes, messages, broadcasts: most = 0 }: Play,
  draw: () => number,
): Promise<void> {
  const { people, broadcasts } = platform;
  if (broadcasts !== undefined && draw() < 0.3) return broadcasts.ask(most, platform.senders);
  const drawn = draw() * 100;
  if (drawn < crashes) await people!.die();
  else if (drawn < 50) await people!.write(3 * messages + 5);
  else await people!.ask(2 * messages + 20);
}

async function replaceSomebody(
  platform: Platform,
  moves: boolean,
  draw: () => number,
): Promise<void> {
  const { sim } = platform;
  if (draw() < 0.5) return platform.replaceOwner();
  const how = sim.oneOf(["dies", "goes on", "was away and goes on", "is stopped"] as const);
  if (how === "is stopped") sim.process.stop();
  else await sim.start(how, moves);
}

async function logOf({
  sim: { log },
  people,
}: Platform): Promise<Pick<Played, "digest" | "types" | "messages">> {
  const hash = createHash("sha256");
  const { events } = await log.readAll({ after: 0n, limit: 1_000_000 });
  const places = new Map(people?.keys.ids.map((id, place) => [id, place]));
  // Keys and what they seal are of another chance; whose key it is, and of how long a text, is the same.
  const withoutBytes = (text: string): string =>
    text.replaceAll(token, (each) => `[key ${places.get(keyIdOf(each)!)}, ${each.length}]`);
  for (const { stream, id, type, data } of events)
    hash.update(`${stream} ${id} ${type} ${withoutBytes(JSON.stringify(data))}\n`);
  const types = events.map(({ type }) => type);
  const messages = types.filter((type) => counted.has(type)).length;
  return { digest: hash.digest("hex"), types: new Set(types), messages };
}
