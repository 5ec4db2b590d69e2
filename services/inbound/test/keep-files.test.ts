import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adoptFiles, attachmentsIn, sweepAttachments } from "@heliograph/attachments";
import { service as mobile } from "@heliograph/mobile";
import { newId } from "@heliograph/contracts";
import type { MailTaker } from "@heliograph/gateways";
import { loosely } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keepFiles } from "../src/mail/files.ts";
import { maxSpooledBytes } from "../src/mail/limits.ts";
import { withMail, type ReadMail } from "../src/mail/read.ts";
import { storeMail } from "../src/mail/receive.ts";
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
const holder = (partner: string, gatewayId = "gtw_1") => ({ partner, gatewayId });
const smalls = (count: number): File[] =>
  Array.from({ length: count }, (_, at) => ({ name: `${at}.bin`, bytes: 9_000 }));

test("what is too large or too many is named alone, what a partner has no room for too, and what nobody owns or is old goes", async () => {
  const { live } = world.platform.contexts;
  // Room for four, of which strangers take half; the other half is full of what the partner keeps itself.
  const attachments = { ...attachmentsIn(live.settings), quotaBytes: 40_000 };
  await live.pool.query(
    "insert into mobile_attachments.usage (partner, bytes) values ($1, 20000)",
    [world.partners[0]!.id],
  );
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
    return keepFiles(live, attachments, holder(world.partners[0]!.id), files.slice(0, 4));
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
  await take(smalls(1), async ({ files }) => keepFiles(live, attachments, holder(""), files));
  const sweep = async (days: number) => {
    await sweepAttachments([live], attachments, Date.now() + days * 86_400_000, 30);
    return filesIn(dataDir);
  };
  expect([await sweep(6), await sweep(8)]).toEqual([1, 0]);
  const { rows } = await live.pool.query(
    "select sum(bytes)::int as bytes, sum(received)::int as received from mobile_attachments.usage",
  );
  expect(rows).toEqual([{ bytes: 20_000, received: 0 }]);
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

test("what is nobody's has a quota for each gateway, and whose it turns out to be takes what there is room for; the rest is gone", async () => {
  const { live } = world.platform.contexts;
  const attachments = { ...attachmentsIn(live.settings), quotaBytes: 40_000 };
  const partner = world.partners[0]!.id;
  const keep = async (gatewayId: string, count: number) => {
    const { files } = await withMail(
      mailOf(smalls(count)),
      { attachments, room: { held: 0 } },
      async (mail) => keepFiles(live, attachments, holder("", gatewayId), mail.files),
    );
    return files.map(({ attachment_id: id, not_kept: why }) => id ?? why!);
  };
  const [one, other] = [await keep("gtw_a", 3), await keep("gtw_b", 1)];
  expect([one[2], other[0]]).toEqual(["no_room", expect.stringMatching(/^att_/)]);
  const settings = { attachmentsQuotaBytes: attachments.quotaBytes };
  const adopt = (ids: readonly string[]) =>
    adoptFiles({ pool: live.pool, vault: live.vault, settings }, partner, newId("cnt"), ids);
  const held = async () => {
    const { rows } = await live.pool.query<{ partner: string; received: number }>(
      "select partner, received::int from mobile_attachments.usage where received <> 0 order by partner",
    );
    return Object.fromEntries(rows.map(({ partner: of, received }) => [of, received]));
  };
  expect(await held()).toEqual({ gtw_a: 18_000, gtw_b: 9_000 });
  expect(await adopt(one.slice(0, 2))).toEqual({ ids: [], reason: "no_room" });
  // Said again each time that it is asked, as after a crash.
  for (let time = 0; time < 2; time++)
    expect(await adopt(other)).toEqual({ ids: other, reason: "no_room" });
  expect(await held()).toEqual({ [partner]: 18_000, gtw_b: 9_000 });
  await sweepAttachments([live], attachments, Date.now(), 30);
  expect([await held(), await filesIn(dataDir)]).toEqual([{ [partner]: 18_000 }, 2]);
});

test("files of a mail that comes again are not stored again, and those of its recipients a few at a time", async () => {
  const { live } = world.platform.contexts;
  const found = attachmentsIn(live.settings);
  let [puts, atOnce, most] = [0, 0, 0];
  const store: typeof found.store = {
    ...found.store,
    async put(...given) {
      puts++;
      most = Math.max(most, ++atOnce);
      await found.store.put(...given);
      atOnce--;
    },
  };
  const attachments = { ...found, store };
  const gateway = { gateway_id: newId("gtw"), name: "mail", kind: "smtp", channel: "email" };
  const takers: MailTaker[] = Array.from({ length: 9 }, (_, at) =>
    loosely({
      gateway,
      address: `a${at}@b.example`,
    }),
  );
  const deliver = () =>
    withMail(mailOf(smalls(1)), { attachments, room: { held: 0 } }, (mail) =>
      storeMail(
        { environments: loosely({ live }), directory: loosely(live.directory) },
        attachments,
        takers,
        { from: "", helo: "", remoteAddress: "" },
        mail,
      ),
    );
  await deliver();
  await deliver();
  expect([puts, most > 1, most <= 4]).toEqual([9, true, true]);
});
