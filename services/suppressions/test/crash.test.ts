import { service as ingress } from "@heliograph/ingress";
import { spawnService, until } from "@heliograph/testkit";
import { openWorld } from "@heliograph/testkit/world";
import { expect, test } from "vitest";
import { service } from "../src/index.ts";
import { answersOf, periodsOf, write } from "./people.ts";

const main = new URL("../src/main.ts", import.meta.url).pathname;
const minute = 60_000;

test("Killed before and after its appends, the reactor starts, ends and answers each keyword once", async () => {
  const world = await openWorld({ services: [ingress, service] });
  try {
    const partner = await world.addPartner();
    const { sandbox } = world.platform.contexts;
    const start = (failpoint?: string) =>
      spawnService(main, {
        HELIOGRAPH_DATABASE_URL: world.databaseUrl,
        HELIOGRAPH_MASTER_KEY: world.platform.masterKey.toString("hex"),
        HELIOGRAPH_LOG_LEVEL: "warn",
        HELIOGRAPH_FAILPOINT: failpoint,
      });
    /** At the pass of the place that is meant: those before it are done. */
    const killedAt = async (failpoint: string, pass = 1): Promise<void> => {
      const process = start(`${failpoint}:kill@${pass}`);
      const { signal } = await process.exited;
      if (signal !== "SIGKILL")
        throw new Error(`${failpoint} was not passed:\n${process.output()}`);
    };
    const from = "+15550817101";
    const at = (minutes: number) => new Date(Date.now() - 60 * minute + minutes * minute);
    const says = (text: string, minutes: number) =>
      write(sandbox, partner.id, { from, text, at: at(minutes) });
    const types = async () =>
      (await periodsOf(sandbox, partner.id, from)).map(({ type }) => type.slice(11));

    await says("STOP", 0);
    await killedAt("suppressions.before_append");
    expect(await types()).toEqual([]);
    await killedAt("suppressions.after_append");
    expect(await types()).toEqual(["Started"]);
    expect(await answersOf(sandbox, partner.id)).toEqual([]);

    // A second STOP that changes nothing, a START, and a HELP: what was done is not done again in another order.
    await says("stop", 1);
    await says("START", 2);
    await says("help", 30);
    for (let event = 1; event <= 3; event++) await killedAt("suppressions.after_append", 2);
    const last = start();
    await until(async () => (await answersOf(sandbox, partner.id, "help")).length === 1, {
      timeoutMs: 20_000,
    });
    await says("Arrêt", 31);
    await until(async () => (await types()).length === 3, { timeoutMs: 20_000 });
    await until(async () => (await answersOf(sandbox, partner.id, "stop")).length === 2);
    await last.stop();
    expect(await types()).toEqual(["Started", "Ended", "Started"]);
    const answers = await answersOf(sandbox, partner.id);
    expect(answers.map(({ request }) => request.keyword)).toEqual([
      "stop",
      "start",
      "help",
      "stop",
    ]);
  } finally {
    await world.close();
  }
}, 90_000);
