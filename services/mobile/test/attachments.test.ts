import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { signLink } from "@heliograph/api";
import { attachmentsIn, forgetFiles, sweepAttachments } from "@heliograph/attachments";
import { newId } from "@heliograph/contracts";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it } from "vitest";
import { service } from "../src/index.ts";

const png = Buffer.from("\x89PNG\r\n\x1a\nthe rest", "latin1");
let world: World;
let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "heliograph-"));
  world = await openWorld({
    services: [service],
    partners: [{}, {}],
    env: { HELIOGRAPH_DATA_DIR: dataDir, HELIOGRAPH_ATTACHMENTS_QUOTA_MB: "12" },
  });
});
afterAll(async () => {
  await world.close();
  await rm(dataDir, { recursive: true, force: true });
});

type Sent = {
  readonly headers?: Record<string, string>;
  readonly query?: string;
  readonly partner?: number;
};
const send = (raw: Uint8Array, { headers = {}, query = "", partner = 0 }: Sent = {}) =>
  world.call("POST", `/api/v1/attachments${query}`, {
    key: world.partners[partner]!.key,
    raw: new Uint8Array(raw),
    headers: { "content-type": "image/png", ...headers },
  });
type Attachment = { id: string; type: string; name: string | null; bytes: number; url: string };
const sent = async (raw: Uint8Array, options?: Sent): Promise<Attachment> => {
  const answer = await send(raw, options);
  expect(answer.status).toBe(201);
  return answer.body as Attachment;
};
const ask = (method: string, id: string, partner = 0) =>
  world.call(method, `/api/v1/attachments/${id}`, { key: world.partners[partner]!.key });
const refusal = async (link: string | URL): Promise<unknown> => {
  const answer = await fetch(link);
  return [answer.status, ((await answer.json()) as { code: string }).code];
};
const stored = async (): Promise<string[]> => {
  const folder = join(dataDir, "attachments");
  await mkdir(folder, { recursive: true }); // the first file makes it
  const all = await readdir(folder, { recursive: true, withFileTypes: true });
  return all
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
};

it("a file comes back as it was sent under its own name, and nobody reads it from the store", async () => {
  const made = await sent(png, { query: `?name=${encodeURIComponent("한글.pdf")}` });
  expect(made).toMatchObject({ type: "image/png", name: "한글.pdf", bytes: png.length });
  const answer = await fetch(made.url);
  expect(answer.status).toBe(200);
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(png);
  expect(answer.headers.get("content-disposition")).toBe(
    `inline; filename="__.pdf"; filename*=UTF-8''%ED%95%9C%EA%B8%80.pdf`,
  );
  const files = await stored();
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) expect((await readFile(file)).includes("the rest")).toBe(false);
});

it("the uploader does not choose the type: a page declared as a picture is downloaded, and cannot run", async () => {
  for (const [bytes, type] of [
    ["<html><script>alert(1)</script></html>", "text/html"],
    ['<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "image/svg+xml"],
  ] as const) {
    const made = await sent(Buffer.from(bytes));
    expect(made.type).toBe(type);
    const { headers } = await fetch(made.url);
    expect(headers.get("content-disposition")).toMatch(/^attachment;/);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-security-policy")).toContain("sandbox");
    expect(headers.get("content-type")).toBe(type);
  }
});

it("links do not rot: each read signs a new one, a changed one opens nothing, an old one says so", async () => {
  const { id, url } = await sent(png);
  const again = (await ask("GET", id)).body as Attachment;
  expect((await fetch(again.url)).status).toBe(200);
  const other = await sent(Buffer.from("another"));
  const moved = new URL(url);
  moved.pathname = new URL(other.url).pathname;
  const longer = new URL(url);
  longer.searchParams.set("expires", "9999999999");
  for (const link of [moved, longer]) expect(await refusal(link)).toEqual([403, "link_not_valid"]);
  const old = { environment: "sandbox", id, expires: 1_000 } as const;
  const signature = signLink(world.platform.masterKey, old);
  const query = new URLSearchParams({ environment: "sandbox", expires: "1000", signature });
  expect(await refusal(`${url.split("?")[0]}?${query.toString()}`)).toEqual([410, "link_expired"]);
});

it("a lost answer costs no second file: the key gives the first one, and another file is refused", async () => {
  const headers = { "idempotency-key": "photo-1" };
  const before = (await stored()).length;
  const first = await send(png, { headers });
  const aged = async (minutes: number) => {
    const created = new Date(Date.now() - minutes * 60_000).toISOString();
    await world.platform.contexts.sandbox.pool.query(
      "update mobile_attachments.attachments set created_at = $2 where id = $1",
      [first.body.id, created],
    );
    return { id: first.body.id, created_at: created };
  };
  const endOf = ({ body }: { body: { url: string } }) =>
    Number(new URL(body.url).searchParams.get("expires"));
  const half = await aged(30);
  const [second, third] = [await send(png, { headers }), await send(png, { headers })];
  expect(second.body).toMatchObject(half);
  expect(endOf(second)).toBeLessThan(endOf(first));
  expect([third.text, third.headers.get("idempotent-replayed")]).toEqual([second.text, "true"]);
  // The link of then has ended.
  const old = await aged(100);
  const late = await send(png, { headers });
  expect(late.body).toMatchObject(old);
  expect((await fetch(late.body.url)).status).toBe(200);
  expect((await stored()).length).toBe(before + 1);
  expect(await send(Buffer.from("other"), { headers })).toMatchObject({
    status: 422,
    body: { code: "idempotency_key_reused" },
  });
});

it("another partner's attachment, and another environment's, is not found", async () => {
  const { id } = await sent(png);
  expect((await ask("GET", id, 1)).status).toBe(404);
  expect((await ask("DELETE", id, 1)).status).toBe(404);
  const key = await world.addKey(world.partners[0]!.id, { environment: "live" });
  expect((await world.call("GET", `/api/v1/attachments/${id}`, { key })).status).toBe(404);
});

it("a deleted attachment is gone with its bytes, and so is its link", async () => {
  const before = (await stored()).length;
  const { id, url } = await sent(png);
  expect((await ask("DELETE", id)).status).toBe(204);
  expect((await ask("GET", id)).status).toBe(404);
  expect((await fetch(url)).status).toBe(404);
  expect((await stored()).length).toBe(before);
});

it("an attachment is erased with its contact", async () => {
  const contact = newId("cnt");
  const { id, url } = await sent(png, { query: `?contact_id=${contact}` });
  await world.platform.contexts.sandbox.vault.destroy(world.partners[0]!.id, [contact]);
  expect(await ask("GET", id)).toMatchObject({ status: 410, body: { code: "contact_erased" } });
  expect(await refusal(url)).toEqual([410, "contact_erased"]);
});

it("a sweep takes the bytes of erased contacts and what killed uploads left, and leaves what is whole or may still run", async () => {
  const context = world.platform.contexts.sandbox;
  const { pool } = context;
  const root = join(dataDir, "attachments");
  const sweep = () => sweepAttachments([context], attachmentsIn(context.settings), Date.now(), 1);
  await sweep();
  const whole = await sent(png);
  const before = (await stored()).toSorted();
  const contact = newId("cnt");
  await sent(png, { query: `?contact_id=${contact}` });
  await forgetFiles(context, world.partners[0]!.id, [contact]);
  // As a process leaves them that is killed after its bytes are stored, and while it gathers them.
  const cut = await sent(png);
  await pool.query(
    "update mobile_attachments.attachments set status = 'pending', changed_at = now() - interval '10 minutes' where id = $1",
    [cut.id],
  );
  expect((await ask("GET", cut.id)).status).toBe(404);
  expect((await fetch(cut.url)).status).toBe(404);
  const [old, running] = ["old", "running"].map((name) => join(root, "incoming", name));
  await writeFile(old!, "half");
  await utimes(old!, new Date(0), new Date(0));
  await writeFile(running!, "half");
  expect(await stored()).toHaveLength(before.length + 4);
  await sweep();
  expect((await stored()).toSorted()).toEqual([...before, running!].toSorted());
  await sweep();
  expect((await fetch(whole.url)).status).toBe(200);
  const { rows } = await pool.query(
    "select 1 from mobile_attachments.attachments where id = $1 or contact_id = $2",
    [cut.id, contact],
  );
  expect(rows).toEqual([]);
  await rm(running!);
});

it("ten million bytes are taken and one more is not, and all of a partner's together have a bound, however many come at once", async () => {
  const partner = 1;
  const whole = await sent(randomBytes(10_000_000), { partner });
  expect(whole.bytes).toBe(10_000_000);
  expect((await send(Buffer.alloc(10_000_001), { partner })).status).toBe(413);
  expect((await send(Buffer.alloc(0), { partner })).status).toBe(422);
  // Of the 12 MB that the partner may have, 2 are left: one of these has room.
  const bytes = Buffer.alloc(1_100_000, 1);
  const answers = await Promise.all(Array.from({ length: 6 }, () => send(bytes, { partner })));
  const codes = answers.map(({ status, body }) => [status, (body as { code?: string }).code]);
  expect(codes.filter(([status]) => status === 201)).toHaveLength(1);
  expect(codes.filter(([, code]) => code === "attachment_quota_exceeded")).toHaveLength(5);
  expect((await ask("DELETE", whole.id, partner)).status).toBe(204);
  await sent(bytes, { partner });
});
