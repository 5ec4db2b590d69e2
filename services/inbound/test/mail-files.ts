import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { attachmentsIn, sweepAttachments } from "@heliograph/attachments";
import { until } from "@heliograph/testkit";
import { createTransport } from "nodemailer";
import { expect } from "vitest";
import type { openMailWorld } from "./mail-world.ts";

type Setting = Awaited<ReturnType<typeof openMailWorld>>;
type Media = { readonly url: string; readonly name?: string; readonly type?: string };
type Said = { readonly text: string; readonly media: readonly Media[] };

type File = { readonly filename: string; readonly content: Buffer; readonly contentType?: string };
async function write(port: number, attachments: readonly File[]): Promise<void> {
  const tls = { rejectUnauthorized: false };
  const transport = createTransport({ host: "127.0.0.1", port, tls });
  await transport.sendMail({
    from: "Grace <grace@example.com>",
    to: "help@shop.example",
    subject: "Files",
    text: "See below.",
    attachments: [...attachments],
  });
  transport.close();
}

/** How many files the store and the spool hold. */
export const filesIn = async (dataDir: string): Promise<number> => {
  const folder = join(dataDir, "attachments");
  const all = await readdir(folder, { recursive: true, withFileTypes: true });
  return all.filter((entry) => entry.isFile()).length;
};

/** Files of a mail stand in its conversation, open by a link for the partner alone, and go with the contact. Gives how many files are left, and the rows. */
export async function tryFiles({ world, port, dataDir }: Setting): Promise<unknown[]> {
  const partner = world.partners[0]!.id;
  const keys = await Promise.all(
    world.partners.map(({ id }) => world.addKey(id, { environment: "live" })),
  );
  const { live } = world.platform.contexts;
  const get = (path: string, key = keys[0]!) => world.call("GET", `/api/v1${path}`, { key });
  const pdf = Buffer.concat([Buffer.from("%PDF-1.7\n"), randomBytes(900_000)]);
  const script = Buffer.from("<html><script>alert(1)</script></html>");
  const before = (await live.log.readAll({ after: 0n, limit: 10_000 })).position;
  await write(port, [
    { filename: "../../rechnung\u202Efdp.exe", content: pdf },
    { filename: "logo.png", content: script, contentType: "image/png" },
  ]);
  const data = await until(async () => {
    const { events } = await live.log.readAll({
      after: before,
      limit: 9,
      types: ["MessageReceived"],
    });
    // A mail of an earlier test may come into its conversation meanwhile.
    return events.find(({ data: { media }, metadata }) => media && metadata.partner === partner)
      ?.data;
  });
  const { media, text } = await until(async () => {
    const { body } = await get(`/conversations/${data.conversation_id}/messages`);
    return (body.data as Said[] | undefined)?.findLast((each) => each.media.length > 0);
  });
  expect(text).toBe("See below.");
  expect(media).toMatchObject([
    { name: "rechnungfdp.exe", type: "application/pdf", bytes: pdf.length },
    { name: "logo.png", type: "text/html", bytes: script.length },
  ]);
  // They are the partner's a moment after their message is.
  const opened = await until(async () => {
    const answer = await fetch(media[0]!.url);
    return answer.ok ? answer : undefined;
  });
  expect(Buffer.from(await opened.arrayBuffer()).equals(pdf)).toBe(true);
  expect((await fetch(media[1]!.url)).headers.get("content-disposition")).toMatch(/^attachment;/);

  // As events tell of it: with a key, at the path that they name.
  const [told] = data.media ?? [];
  const url = (await live.vault.open(partner, told!.url))(told!.url);
  expect(url).toBe(`/api/v1/attachments/${told!.attachment_id}`);
  const path = url.slice("/api/v1".length);
  await until(async () => (await get(path)).status === 200);
  expect((await get(path)).body).toMatchObject({ name: "rechnungfdp.exe", bytes: pdf.length });
  expect((await get(path, keys[1])).status).toBe(404);
  expect(await filesIn(dataDir)).toBe(2);
  // The mail itself is kept without them.
  const types = ["CallbackReceived", "InboundReceived"] as const;
  const { events } = await live.log.readAll({ after: before, limit: 9, types });
  expect(events).toHaveLength(2);
  for (const event of events) expect(JSON.stringify(event.data).length).toBeLessThan(6_000);

  const erased = await world.call("DELETE", `/api/v1/contacts/${data.contact_id}`, {
    key: keys[0]!,
  });
  expect(erased.status).toBe(202);
  await until(async () => (await fetch(media[0]!.url)).status >= 400);
  const rows = async () =>
    (await live.pool.query<{ status: string }>("select status from mobile_attachments.attachments"))
      .rows;
  await until(async () => (await rows()).every(({ status }) => status === "removed"));
  await sweepAttachments([live], attachmentsIn(live.settings), Date.now(), 1);
  return [await filesIn(dataDir), await rows()];
}
