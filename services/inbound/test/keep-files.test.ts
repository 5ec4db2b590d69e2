import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attachmentsIn, sweepAttachments } from "@heliograph/attachments";
import { service as mobile } from "@heliograph/mobile";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keepFiles } from "../src/mail/files.ts";
import { maxSpooledBytes } from "../src/mail/limits.ts";
import { withMail, type ReadMail } from "../src/mail/read.ts";
import { filesIn } from "./mail-files.ts";

let world: World;
let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "heliograph-"));
  world = await openWorld({
    services: [mobile],
    partners: [{}],
    env: { HELIOGRAPH_DATA_DIR: dataDir },
  });
});
afterAll(async () => {
  await world.close();
  await rm(dataDir, { recursive: true, force: true });
});

type File = { readonly name: string; readonly bytes: number };
async function* mailOf(files: readonly File[]) {
  yield Buffer.from("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello\r\n");
  for (const { name, bytes } of files) {
    yield Buffer.from(`--b\r\nContent-Type: application/x; name=${name}\r\n\r\n`);
    for (let left = bytes; left > 0; left -= 1_000_000)
      yield Buffer.alloc(Math.min(left, 1_000_000), "x");
    yield Buffer.from("\r\n");
  }
  yield Buffer.from("--b--\r\n");
}
const smalls = (count: number): File[] =>
  Array.from({ length: count }, (_, at) => ({ name: `${at}.bin`, bytes: 9_000 }));

test("what is too large or too many is named alone, what a partner has no room for too, and what nobody owns or is old goes", async () => {
  const { live } = world.platform.contexts;
  // Room for four, of which strangers take half.
  const attachments = { ...attachmentsIn(live.settings), quotaBytes: 40_000 };
  const room = { held: 0 };
  const take = <Result>(files: readonly File[], store: (mail: ReadMail) => Promise<Result>) =>
    withMail(mailOf(files), { attachments, room }, store);
  const film = { name: "film.mp4", bytes: 10_000_001 };
  const kept = await take([film, ...smalls(21)], async ({ body, files }) => {
    expect(body.toString().match(/name=/g)).toHaveLength(22);
    expect(files.map((file) => ("why" in file ? file.why : file.bytes))).toEqual([
      "too_large",
      ...Array.from({ length: 19 }, () => 9_000),
      "too_many",
      "too_many",
    ]);
    return keepFiles(live, attachments, world.partners[0]!.id, files.slice(0, 4));
  });
  expect(kept.files.map((file) => file.not_kept ?? file.name)).toEqual([
    "too_large",
    "0.bin",
    "1.bin",
    "no_room",
  ]);
  expect([room.held, await filesIn(dataDir)]).toEqual([0, 2]);
  await kept.giveUp();
  expect(await filesIn(dataDir)).toBe(0);
  await take(smalls(1), async ({ files }) => keepFiles(live, attachments, "", files));
  const sweep = async (days: number) => {
    await sweepAttachments([live], attachments, Date.now() + days * 86_400_000, 30);
    return filesIn(dataDir);
  };
  expect([await sweep(6), await sweep(8)]).toEqual([1, 0]);
  const { rows } = await live.pool.query("select sum(bytes)::int from mobile_attachments.usage");
  expect(rows).toEqual([{ sum: 0 }]);
});

test("mails that come together have room for so much on this machine, and one that finds none is read to its end", async () => {
  const attachments = attachmentsIn(world.platform.contexts.live.settings);
  const room = { held: maxSpooledBytes - 10_000 };
  let isRead = false;
  async function* mail() {
    yield* mailOf(smalls(2));
    isRead = true;
  }
  await expect(withMail(mail(), { attachments, room }, async () => undefined)).rejects.toThrow();
  expect([isRead, room.held, await filesIn(dataDir)]).toEqual([true, maxSpooledBytes - 10_000, 0]);
});
