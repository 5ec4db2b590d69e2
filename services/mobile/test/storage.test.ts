import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attachmentsIn, forgetFiles, sweepAttachments } from "@heliograph/attachments";
import { newId } from "@heliograph/contracts";
import { s3Double } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it } from "vitest";
import { service } from "../src/index.ts";

let storage: Awaited<ReturnType<typeof s3Double>>;
let dataDir: string;
let world: World;
beforeAll(async () => {
  storage = await s3Double();
  dataDir = await mkdtemp(join(tmpdir(), "heliograph-"));
  world = await openWorld({
    services: [service],
    partners: [{}],
    env: { HELIOGRAPH_DATA_DIR: dataDir, HELIOGRAPH_ATTACHMENTS_URL: storage.url },
  });
});
afterAll(async () => {
  await world.close();
  await storage.close();
  await rm(dataDir, { recursive: true, force: true });
});
const call = (method: string, path: string, raw?: Uint8Array<ArrayBuffer>) =>
  world.call(method, `/api/v1/attachments${path}`, {
    key: world.partners[0]!.key,
    ...(raw && { raw, headers: { "content-type": "application/pdf" } }),
  });
const rows = async () =>
  (
    await world.platform.contexts.sandbox.pool.query(
      "select status, charged::int from mobile_attachments.attachments",
    )
  ).rows;

it("S3-compatible storage keeps what the folder keeps, and what it refuses leaves nothing", async () => {
  const bytes = new Uint8Array(randomBytes(300_000));
  const { body } = await call("POST", "", bytes);
  const { id, url } = body as { id: string; url: string };
  expect(storage.objects.size).toBe(1);
  const [object] = storage.objects.values();
  expect(object!.includes(Buffer.from(bytes.subarray(0, 100)))).toBe(false);
  expect(Buffer.from(await (await fetch(url)).arrayBuffer())).toEqual(Buffer.from(bytes));

  storage.failures.push(503);
  expect((await call("POST", "", bytes)).status).toBe(500);
  expect(storage.objects.size).toBe(1);
  expect(await rows()).toEqual([{ status: "ready", charged: 300_000 }]);
  expect(await readdir(join(dataDir, "attachments", "incoming"))).toEqual([]);

  expect((await call("DELETE", `/${id}`)).status).toBe(204);
  expect(storage.objects.size).toBe(0);
  expect(await rows()).toEqual([]);
});

it("what belongs to an erased contact leaves the storage, later where the storage refuses at first", async () => {
  const context = world.platform.contexts.sandbox;
  const [contact, partner] = [newId("cnt"), world.partners[0]!.id];
  const kept = await call("POST", "", new Uint8Array(randomBytes(20_000)));
  await call("POST", `?contact_id=${contact}`, new Uint8Array(randomBytes(3_000)));
  expect(storage.objects.size).toBe(2);
  await forgetFiles(context, partner, [contact]);
  const shared = attachmentsIn(context.settings);
  storage.failures.push(403);
  await expect(sweepAttachments([context], shared, Date.now(), 1)).rejects.toThrow("403");
  expect(storage.objects.size).toBe(2);
  await sweepAttachments([context], shared, Date.now(), 1);
  expect(storage.objects.size).toBe(1);
  expect(await rows()).toEqual([{ status: "ready", charged: 20_000 }]);
  expect((await fetch(kept.body.url as string)).status).toBe(200);
});
