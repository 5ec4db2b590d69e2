import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Channel, type EventData, newId, streamOf } from "@heliograph/contracts";
import { configured, receivedFileId, recordInbound } from "@heliograph/gateways";
import { telegramDouble, until, whatsappDouble } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { register } from "prom-client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { service } from "../src/index.ts";
import { tellAwaited, tellFile, toldFile } from "../src/received/tell.ts";

const gif = "GIF89a of a person";
const masterKey = Buffer.alloc(32, 7);
let world: World;
let dataDir: string;
let key: string;
let meta: Awaited<ReturnType<typeof whatsappDouble>>;
let bots: Awaited<ReturnType<typeof telegramDouble>>;
const gateways = { whatsapp: newId("gtw"), telegram: newId("gtw") };

beforeAll(async () => {
  [meta, bots] = [await whatsappDouble(), await telegramDouble()];
  dataDir = await mkdtemp(join(tmpdir(), "heliograph-"));
  const common = {
    environment: "live",
    enabled: true,
    weight: 1,
    max_concurrent: 4,
    timeout_ms: 5_000,
    on_uncertain: "at_most_once",
  } as const;
  world = await openWorld({
    services: [service],
    consumers: "run",
    gateways: [
      configured(
        {
          ...common,
          gateway_id: gateways.whatsapp,
          name: "wa",
          channel: "whatsapp",
          kind: "whatsapp_cloud",
          settings: { base_url: meta.url, phone_number_id: meta.phoneNumberId },
        },
        {
          access_token: meta.accessToken,
          app_secret: meta.appSecret,
          verify_token: meta.verifyToken,
        },
        masterKey,
      ),
      configured(
        {
          ...common,
          gateway_id: gateways.telegram,
          name: "tg",
          channel: "telegram",
          kind: "telegram",
          settings: { base_url: bots.url },
        },
        { bot_token: bots.botToken, secret_token: bots.secretToken },
        masterKey,
      ),
    ],
    partners: [{}],
    env: {
      HELIOGRAPH_DATA_DIR: dataDir,
      HELIOGRAPH_MASTER_KEY: masterKey.toString("hex"),
      HELIOGRAPH_ATTACHMENTS_QUOTA_MB: "10",
      HELIOGRAPH_RETRY_SCALE: "0.000001",
    },
  });
  key = await world.addKey(world.partners[0]!.id, { environment: "live" });
});
afterAll(async () => {
  await world.close();
  await Promise.all([meta.close(), bots.close()]);
  await rm(dataDir, { recursive: true, force: true });
});

/** A message of a person with a file, matched; gives the id under which its file is kept. */
async function written(
  channel: keyof typeof gateways,
  raw: object,
  files?: EventData<"InboundReceived">["files"],
): Promise<string> {
  const { log, vault } = world.platform.contexts.live;
  const { id: partner } = world.partners[0]!;
  const providerMessageId = newId("msg");
  const inbound = {
    gateway: {
      id: gateways[channel],
      kind: channel === "telegram" ? "telegram" : "whatsapp_cloud",
    },
    channel: channel as Channel,
    providerMessageId,
    from: channel === "telegram" ? "88112233" : "+15551234567",
    receivedAt: new Date().toISOString(),
    contentType: "application/json",
    raw: Buffer.from(JSON.stringify(raw)),
    files,
  };
  const { messageId } = await recordInbound({ log, vault }, inbound, { actor: "test" });
  const [received] = (
    await log.readAll({ after: 0n, limit: 1_000, types: ["InboundReceived"] })
  ).events.slice(-1);
  const { inbound_id } = received!.data;
  const contact_id = newId("cnt");
  const id = receivedFileId(inbound_id, 0);
  await log.append([
    {
      stream: streamOf("inbound", inbound_id),
      expected: 0,
      events: [
        {
          id: crypto.randomUUID(),
          type: "InboundMatched",
          data: {
            inbound_id,
            message_id: messageId,
            contact_id,
            known: false,
            channel,
            external_id: { source: channel, id: inbound.from, name: "n" },
            from: inbound.from,
            to: "ours",
            media: [{ url: `/api/v1/attachments/${id}`, attachment_id: id }],
            kind: "message",
            provider: { gateway: "g", name: "g", message_id: providerMessageId },
            gateway_id: gateways[channel],
            received_at: inbound.receivedAt,
            reason: "test",
          },
          metadata: { partner, actor: "test" },
        },
      ],
    },
  ]);
  return id;
}
const image = (id: string, more: object = {}) => ({
  message: {
    id: "wamid.1",
    from: "15551234567",
    timestamp: "1700000000",
    type: "image",
    image: { id, mime_type: "image/jpeg", ...more },
  },
  metadata: { display_phone_number: "1 555-010-0000" },
});
const document = (file_id: string) => ({
  update_id: 1,
  message: {
    message_id: 5,
    date: 1_700_000_000,
    chat: { id: 88112233 },
    document: { file_id, file_name: "plan.pdf" },
  },
});
const read = (id: string) => world.call("GET", `/api/v1/attachments/${id}`, { key });
/** One for which there is no room is tried nine times, on a busy machine too. */
const patient = { timeoutMs: 25_000 };
const settled = (id: string) =>
  until(async () => {
    const answer = await read(id);
    // Between the message and what makes the file known nobody has heard of it.
    return answer.body.code === "attachment_pending" || answer.status === 404 ? undefined : answer;
  }, patient);
/** What the log says of a file. */
const toldOf = (id: string) =>
  until(async () => {
    const events = await world.platform.contexts.live.log.readStream(streamOf("file", id));
    const last = events.at(-1);
    if (last === undefined || last.type === "ReceivedFileAwaited") return undefined;
    const { reason, type, bytes } = last.data as { reason?: string; type?: string; bytes?: number };
    return [...events.map((event) => event.type), reason ?? { type, bytes }];
  }, patient);
const content = async (url: string) =>
  Buffer.from(await (await fetch(url)).arrayBuffer()).toString();

it("files that the provider keeps are fetched with the gateway's credentials, again where it fails, and are the partner's", async () => {
  meta.files.set("111", { content: gif });
  bots.files.set("DOC", "%PDF-1.7 of a person");
  meta.failFiles(2);
  const [picture, plan] = [
    await written("whatsapp", image("111")),
    await written("telegram", document("DOC")),
  ];
  const [first, second] = [await settled(picture), await settled(plan)];
  expect(first.body).toMatchObject({
    id: picture,
    type: "image/gif",
    bytes: Buffer.byteLength(gif),
  });
  expect(await content(first.body.url)).toBe(gif);
  expect(second.body).toMatchObject({ type: "application/pdf", name: "plan.pdf" });
  expect(await content(second.body.url)).toBe("%PDF-1.7 of a person");
  const asked = meta.requests.filter(({ path }) => path.includes("/111?"));
  expect(asked).toHaveLength(3);
  const { log, pool } = world.platform.contexts.live;
  const { rows } = await pool.query("select id from mobile_attachments.fetches");
  expect(rows).toEqual([]);
  expect(await toldOf(picture)).toEqual([
    "ReceivedFileAwaited",
    "ReceivedFileKept",
    { type: "image/gif", bytes: Buffer.byteLength(gif) },
  ]);
  // A successor goes on behind them, and fetches nothing again of what may be erased by then.
  const matched = await log.readAll({ after: 0n, limit: 1_000, types: ["InboundMatched"] });
  await until(async () => {
    const checkpoint = await pool.query("select position from mobile_received.checkpoint");
    return BigInt(checkpoint.rows[0].position) >= matched.events.at(-1)!.position;
  });
});

it("what cannot be had is said with its reason, and the token goes to nobody but the provider", async () => {
  const stranger = await whatsappDouble();
  meta.files.set("222", { content: gif, at: `${stranger.url}/files/222` });
  bots.files.set("BIG", undefined);
  meta.files.set("333", { content: gif });
  // All of the quota is full, though nothing of it came from outside.
  await world.platform.contexts.live.pool.query(
    `insert into mobile_attachments.usage as u (partner, bytes) values ($1, 10000000)
      on conflict (partner) do update set bytes = excluded.bytes`,
    [world.partners[0]!.id],
  );
  const lost: string[] = [];
  for (const file of ["222", "404", "333"]) lost.push(await written("whatsapp", image(file)));
  lost.push(await written("telegram", document("BIG")));
  // As a mail brings it: what came with it says why it is not kept, and nobody is asked for it.
  const unkept = { type: "video/mp4", bytes: 10_000_001, not_kept: "too_many" } as const;
  lost.push(await written("whatsapp", image("555"), [unkept]));
  const answers = await Promise.all(lost.map(settled));
  expect(answers.map(({ status, body }) => [status, body.code, body.errors[0].code])).toEqual([
    [410, "attachment_lost", "refused"],
    [410, "attachment_lost", "gone"],
    [410, "attachment_lost", "no_room"],
    [410, "attachment_lost", "too_large"],
    [410, "attachment_lost", "too_many"],
  ]);
  const told = await Promise.all(lost.map(toldOf));
  expect(told).toEqual(
    ["refused", "gone", "no_room", "too_large", "too_many"].map((reason) => [
      "ReceivedFileAwaited",
      "ReceivedFileLost",
      reason,
    ]),
  );
  // It was tried as long as that of a provider that fails: there may be room in a day.
  expect(meta.requests.filter(({ path }) => path.includes("/333?"))).toHaveLength(9);
  // What is too much is known before it comes, each time from the provider's answer alone.
  expect(meta.requests.filter(({ path }) => path.endsWith("/files/333"))).toEqual([]);
  const counted = await register.getSingleMetricAsString("heliograph_received_files_total");
  const again =
    'heliograph_received_files_total{environment="live",outcome="again",reason="no_room"}';
  expect(counted).toContain(`${again} 8\n`);
  expect(counted).not.toContain("too_many");
  expect(stranger.requests).toEqual([]);
  await stranger.close();
});

it("a file that is lost before anybody awaits it stays lost, and is awaited once", async () => {
  const { log } = world.platform.contexts.live;
  const partner = world.partners[0]!.id;
  const ids = { message_id: newId("msg"), inbound_id: newId("inb"), contact_id: newId("cnt") };
  const [erased, awaited] = [newId("att"), newId("att")].map((id) =>
    toldFile({ ...ids, channel: "telegram" }, id),
  );
  await tellFile(log, partner, erased!, { type: "ReceivedFileLost", reason: "erased" });
  for (let time = 0; time < 2; time++)
    await tellAwaited(log, [
      { partner, file: erased! },
      { partner, file: awaited! },
    ]);
  const streams = [erased, awaited].map((file) => streamOf("file", file!.attachment_id));
  const told = await log.readStreams(streams);
  expect(streams.map((stream) => told.get(stream)!.map(({ type }) => type))).toEqual([
    ["ReceivedFileLost"],
    ["ReceivedFileAwaited"],
  ]);
});
