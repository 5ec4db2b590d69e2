import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { attachmentsIn, sweepAttachments, uploadMs } from "@heliograph/attachments";
import { newId } from "@heliograph/contracts";
import { spawnService } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { service } from "../src/index.ts";

const entry = fileURLToPath(new URL("child.ts", import.meta.url));
let world: World;
let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "heliograph-"));
  world = await openWorld({
    services: [service],
    partners: [{}],
    env: { HELIOGRAPH_DATA_DIR: dataDir },
  });
});
afterAll(async () => {
  await world.close();
  await rm(dataDir, { recursive: true, force: true });
});

const filesIn = async (folder: string): Promise<number> =>
  (await readdir(folder, { recursive: true, withFileTypes: true })).filter((each) => each.isFile())
    .length;

test.each([
  ["attachments.before_put", 1, "in the spool"],
  ["attachments.after_put", 1, "in the store"],
])(
  "a process killed at %s leaves %i file %s, which the sweep takes, and the retry has the attachment",
  async (failpoint, left) => {
    const { key } = world.partners[0]!;
    const context = world.platform.contexts.sandbox;
    const { pool } = context;
    const root = join(dataDir, "attachments");
    const raw = new Uint8Array(randomBytes(300_000));
    const headers = { "content-type": "application/pdf", "idempotency-key": newId("req") };
    const child = spawnService(entry, {
      HELIOGRAPH_DATABASE_URL: world.databaseUrl,
      HELIOGRAPH_DATA_DIR: dataDir,
      HELIOGRAPH_MASTER_KEY: world.platform.masterKey.toString("hex"),
      HELIOGRAPH_PORT: "0",
      HELIOGRAPH_FAILPOINT: `${failpoint}:kill`,
    });
    const [, port] = await child.outputMatching(/listening on (\d+)/);
    const sent = await fetch(`http://127.0.0.1:${port}/api/v1/attachments`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, ...headers },
      body: raw,
    }).catch(() => "cut off");
    expect(sent).toBe("cut off");
    expect((await child.exited).signal).toBe("SIGKILL");

    const again = () => world.call("POST", "/api/v1/attachments", { key, raw, headers });
    const refused = await again();
    // The upload may still run, for all that others know.
    expect([refused.status, refused.body.code]).toEqual([409, "idempotency_in_progress"]);
    // Nor does a clock say otherwise that is behind the one of the database.
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now() - 3_600_000);
    expect((await again().finally(() => clock.mockRestore())).status).toBe(409);
    expect(await filesIn(root)).toBe(left);

    const later = Date.now() + uploadMs + 1000;
    await sweepAttachments([context], attachmentsIn(context.settings), later, 1);
    expect(await filesIn(root)).toBe(0);
    expect((await pool.query("select from mobile_attachments.attachments")).rowCount).toBe(0);

    const made = await again();
    expect(made.status).toBe(201);
    const read = await fetch(made.body.url as string);
    expect(Buffer.from(await read.arrayBuffer())).toEqual(Buffer.from(raw));
    const { status } = await world.call("DELETE", `/api/v1/attachments/${made.body.id}`, { key });
    expect(status).toBe(204);
  },
  120_000,
);
