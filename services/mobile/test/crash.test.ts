import { fileURLToPath } from "node:url";
import { service as agents } from "@heliograph/agents";
import { spawnService, until, type SpawnedService } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { service } from "../src/index.ts";
import { openAgents, pushGateway, type Agent } from "./agents.ts";
import { peopleOf } from "./people.ts";

// Each process takes seconds to start on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
let world: World;
let ada: Agent;
let people: ReturnType<typeof peopleOf>;
let key: string;
beforeAll(async () => {
  world = await openWorld({ services: [agents, service], gateways: [pushGateway] });
  const partner = await world.addPartner();
  key = partner.key;
  ada = await openAgents(world)(key);
  people = peopleOf(world, partner.id);
  for (const fcm_token of ["phone", "tablet"]) {
    const body = { fcm_token, platform: "android" };
    await world.call("POST", "/api/v1/mobile/devices", { key: ada.token, body });
  }
});
afterAll(() => world.close());

const start = (failpoint = ""): SpawnedService =>
  spawnService(main, {
    HELIOGRAPH_DATABASE_URL: world.databaseUrl,
    HELIOGRAPH_MASTER_KEY: world.platform.masterKey.toString("hex"),
    HELIOGRAPH_LOG_LEVEL: "warn",
    HELIOGRAPH_FAILPOINT: failpoint,
  });
const killedAt = async (failpoint: string): Promise<void> => {
  const child = start(`${failpoint}:kill`);
  const { signal } = await child.exited;
  if (signal !== "SIGKILL") throw new Error(`${failpoint} was not passed:\n${child.output()}`);
};
const pushes = async (): Promise<readonly { device_id: string; status: string }[]> =>
  (
    await world.platform.contexts.sandbox.pool.query(
      "select device_id, status from mobile_push.pushes order by created_at",
    )
  ).rows;

it("killed at any point, it pushes at most once for each event and device, and every change has its number", async () => {
  await people.open("one");
  await people.assign("one", ada);
  await killedAt("mobile.before_intents");
  expect(await pushes()).toEqual([]);
  await killedAt("mobile.after_intents");
  expect(await pushes()).toHaveLength(2);
  await killedAt("mobile.before_push");
  await people.receive("one", ["first", "second"]);
  await killedAt("mobile.after_push");

  const last = start();
  try {
    await until(
      async () => {
        const all = await pushes();
        return all.length === 6 && all.every(({ status }) => !["due", "calling"].includes(status));
      },
      { timeoutMs: 30_000 },
    );
    const all = await pushes();
    // Of what was being called when it was killed, nobody knows whether it was sent: it is not sent again.
    expect(all.some(({ status }) => status === "uncertain")).toBe(true);
    expect(new Set(all.map(({ device_id }) => device_id)).size).toBe(2);
    const page = await until(async () => {
      const answer = await world.call("GET", "/api/v1/mobile/sync?after=0", { key });
      return answer.body.messages.length === 2 && answer.body;
    });
    expect(page.messages.map(({ text }: { text: string }) => text)).toEqual(["first", "second"]);
    const { rows } = await world.platform.contexts.sandbox.pool.query(
      "select count(*)::int as changes, max(sequence)::int as last from mobile.changes",
    );
    expect(rows).toEqual([{ changes: page.next_after, last: page.next_after }]);
  } finally {
    await last.stop();
  }
});
