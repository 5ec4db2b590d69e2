import { postgresPair, until, type PostgresPair } from "@heliograph/testkit";
import { withStandby, type Fault } from "./faults.ts";
import { accepting } from "./outage-faults.ts";
import { openWorld, type World } from "./world.ts";

/** From the loss of the primary to the first 202 and to ready. */
const recoveryMs = 30_000;

/**
 * The primary is lost, its synchronous standby is promoted, and the address leads to it. What was answered must be there, although nothing of the primary's
 * disk is ever read again; of two copies of the consumers, one goes on.
 */
function promotion(how: "killed" | "standing still"): Fault {
  let pair: PostgresPair | undefined;
  return {
    name: `the primary is ${how} and its synchronous standby is promoted`,
    async open(random): Promise<World> {
      const opened = await postgresPair();
      pair = opened;
      try {
        const world = await openWorld(random, { env: { HELIOGRAPH_DATABASE_URL: opened.url } });
        const { close } = world;
        return Object.assign(world, {
          async close() {
            await close();
            await opened.close();
          },
        });
      } catch (error) {
        await opened.close();
        throw error;
      }
    },
    async run(world) {
      let note = "";
      await withStandby(world, async () => void (note = await failOver(world, pair!, how)));
      return note;
    },
  };
}

async function failOver(
  world: World,
  pair: PostgresPair,
  how: "killed" | "standing still",
): Promise<string> {
  await accepting(world, recoveryMs);
  world.journal.interruptions++;
  const lostAt = performance.now();
  const since = (): string => `${((performance.now() - lostAt) / 1000).toFixed(1)} s`;
  await pair.failOver(how);
  await accepting(world, recoveryMs);
  const accepted = since();
  await until(async () => (await world.admin().get("/readyz")).status === 200, {
    timeoutMs: recoveryMs,
    what: "it is ready again",
  });
  return `accepting ${accepted} after the primary was lost, ready after ${since()}`;
}

/** A primary and its synchronous standby in place of one server. */
export const standbyFaults: readonly Fault[] = [promotion("killed"), promotion("standing still")];
