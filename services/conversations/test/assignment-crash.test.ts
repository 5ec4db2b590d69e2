import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { streamOf } from "@heliograph/contracts";
import { spawnService, until } from "@heliograph/testkit";
import { agentCreated } from "@heliograph/testkit/people";
import { openWorld } from "@heliograph/testkit/world";
import { expect, it } from "vitest";
import { partnerOn, type Thread } from "./assignment-harness.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const masterKey = "0".repeat(64);

/** On a busy machine a process loads for many seconds before it does anything. */
const startMs = 30_000;

it("killed before and after its appends, each conversation is assigned once and nobody gets more than there are places", async () => {
  const world = await openWorld({ env: { HELIOGRAPH_MASTER_KEY: masterKey } });
  const dataDir = await mkdtemp(join(tmpdir(), "assignment-"));
  const start = (failpoint?: string) =>
    spawnService(main, {
      HELIOGRAPH_DATABASE_URL: world.databaseUrl,
      HELIOGRAPH_MASTER_KEY: masterKey,
      HELIOGRAPH_DATA_DIR: dataDir,
      HELIOGRAPH_LOG_LEVEL: "warn",
      HELIOGRAPH_FAILPOINT: failpoint,
    });
  try {
    const { id: partner } = await world.addPartner();
    const agent = agentCreated(partner, { capacity: 4 });
    const { agent_id: ada } = agent;
    await world.appendPlatform(streamOf("agent", ada), "no_stream", "AgentCreated", agent);
    const desk = partnerOn(world.platform.contexts.sandbox.log, partner);
    await desk.team({ agent_ids: [ada] });
    await desk.presence(ada, "online");
    const threads: Thread[] = [];
    for (const failpoint of [
      "before_append",
      "after_append",
      "before_append@2",
      "after_append@2",
    ]) {
      threads.push(await desk.open(), await desk.open());
      const [name, pass] = failpoint.split("@");
      const service = start(`assignment.${name}:kill${pass === undefined ? "" : `@${pass}`}`);
      if (pass !== undefined) {
        // The first pass decides what is there, the second what comes after it.
        await until(async () => (await desk.holder(threads.at(-1)!)).reason || undefined, {
          timeoutMs: startMs,
        });
        threads.push(await desk.open());
      }
      const { signal } = await service.exited;
      if (signal !== "SIGKILL") throw new Error(`${failpoint}:\n${service.output()}`);
    }
    const service = start();
    await until(
      async () => {
        const told = await Promise.all(threads.map((thread) => desk.holder(thread)));
        return told.every(({ reason }) => reason !== "") || undefined;
      },
      { timeoutMs: startMs },
    );
    await service.stop();
    const held = await Promise.all(threads.map((thread) => desk.holder(thread)));
    expect(held.filter(({ agent: holder }) => holder === ada)).toHaveLength(4);
    for (const thread of threads) expect(await desk.events(thread)).toHaveLength(3);
  } finally {
    await world.close();
    await rm(dataDir, { recursive: true });
  }
}, 120_000);
