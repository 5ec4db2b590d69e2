import { programMissing, until } from "@heliograph/testkit";
import { openBalancer } from "./balancer.ts";
import { crashed, dispatchOwned, killNode, type Fault } from "./faults.ts";
import { eitherAnswers, followFeed } from "./front-checks.ts";
import { openFront, type Front } from "./front.ts";
import { accepting } from "./outage-faults.ts";
import { withCopy } from "./owner-faults.ts";
import type { World } from "./world.ts";

/** From a kill to accepted sends: the other copy is there, and the front has to notice who is not. */
const goOnMs = 15_000;
/** From the loss of a copy to `/readyz` of the other one, which then owns everything. */
const backMs = 30_000;

/** Whatever is asked of the product goes over the front while the work runs, also of a copy that is started meanwhile. */
async function behind<Result>(
  world: World,
  front: Front,
  work: () => Promise<Result>,
): Promise<Result> {
  const { start } = world;
  const over = () => (world.instance = { ...world.instance, baseUrl: front.url });
  over();
  world.start = async (env) => {
    await start(env);
    return over();
  };
  try {
    return await work();
  } finally {
    world.start = start;
    world.instance = { ...world.instance, baseUrl: front.places[0]!.url };
  }
}

const inTurn = (front: Front, ready: readonly boolean[]): Promise<unknown> =>
  until(() => front.places.every((place, index) => place.ready === ready[index]), {
    timeoutMs: backMs,
    what: `the front has seen that ${ready.map((is, index) => `copy ${index + 1} is ${is ? "" : "not "}ready`).join(" and ")}`,
  });

/** The copy that does the work is killed, comes back, and then the other one is told to stop, which no caller may notice. */
async function eachInTurn(
  world: World,
  front: Front,
  stop: () => Promise<unknown>,
): Promise<string> {
  await inTurn(front, [true, true]);
  await eitherAnswers(world, front);
  const back = killNode.run(world, undefined as never);
  await inTurn(front, [false, true]);
  await accepting(world, goOnMs);
  await back;
  await inTurn(front, [true, true]);
  await dispatchOwned(world);
  const [before, cut] = [await crashed(world), front.seen.cut.length];
  const stopped = stop();
  await inTurn(front, [true, false]);
  await accepting(world, goOnMs);
  await stopped;
  const byStop = front.seen.cut.slice(cut);
  if (byStop.length > 0)
    throw new Error(`${byStop.length} requests were cut by an orderly stop: ${byStop.join(", ")}`);
  const uncertain = (await crashed(world)) - before;
  if (uncertain > 0) throw new Error(`${uncertain} calls were left uncertain by an orderly stop`);
  const [one, other] = front.places.map(({ asked }) => asked);
  return `requests to each copy: ${one} and ${other}; ${cut} cut by the kill, ${front.seen.streams} streams that broke off, ${front.seen.elsewhere} refused connections that went to the other copy, ${front.seen.nobody} requests when none was ready`;
}

const oneAddress = (
  balancer: string,
  open: (urls: readonly string[]) => Promise<Front>,
  missing: () => string | undefined = () => undefined,
): Fault => ({
  name: `two copies behind ${balancer}: one is killed and comes back, the other is stopped`,
  async run(world) {
    const without = missing();
    if (without !== undefined) return without;
    return withCopy(world, async (copy) => {
      const front = await open([world.instance.baseUrl, copy.baseUrl]);
      const feed = followFeed(front.url, world.tenants[0]!.key);
      try {
        const note = await behind(world, front, () => eachInTurn(world, front, copy.stop));
        return `${note}; ${await feed.whole()}`;
      } finally {
        feed.end();
        await front.close();
      }
    });
  },
});

/** Two copies of everything behind one address that remembers no caller. */
export const behindOneAddress = oneAddress("one address", openFront);
/** The same with HAProxy, as an installation has it; where that is not there it says so and does nothing. */
export const behindHaproxy = oneAddress("HAProxy", openBalancer, () => programMissing("haproxy"));
