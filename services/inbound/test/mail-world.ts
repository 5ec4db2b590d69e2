import type { KeyObject } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deterministicId, newId, streamOf, uuid7, type EventData } from "@heliograph/contracts";
import { service as contacts } from "@heliograph/contacts";
import { service as conversations } from "@heliograph/conversations";
import { service as delivery } from "@heliograph/delivery";
import { foldMessage, messageContext, suppressionName } from "@heliograph/domain";
import { attemptIdOf, createGateway, type GatewayConfig } from "@heliograph/gateways";
import { service as mobile } from "@heliograph/mobile";
import { service as suppressions } from "@heliograph/suppressions";
import { freePort, selfSignedCertificate, smtpSink } from "@heliograph/testkit";
import { openWorld } from "@heliograph/testkit/world";
import { service as inbound } from "../src/index.ts";

export const topic = "arn:aws:sns:eu-west-1:123456789012:mail";
export const domain = "bounces.shop.example";

/** Two gateways that send to a server of the test's, and the listener for what comes back. */
export async function openMailWorld(sendgridKey: KeyObject) {
  const sink = await smtpSink();
  const dataDir = await mkdtemp(join(tmpdir(), "heliograph-"));
  const certificate = await selfSignedCertificate();
  const port = await freePort();
  const key = `${certificate.caFile.replace(/[^/]*$/, "")}key.pem`;
  const gateway: GatewayConfig = {
    gateway_id: deterministicId("gtw", "mail"),
    environment: "live",
    name: "mail-1",
    channel: "email",
    kind: "smtp",
    enabled: true,
    weight: 1,
    max_concurrent: 4,
    timeout_ms: 5_000,
    on_uncertain: "at_most_once",
    settings: {
      url: `smtp://127.0.0.1:${sink.port}`,
      from: "Shop <shop@shop.example>",
      reply_to: "help@shop.example",
      return_path_domain: domain,
      events: "sendgrid",
      sendgrid_public_key: sendgridKey.export({ format: "der", type: "spki" }).toString("base64"),
    },
  };
  /** Of the same sender; what comes back to it has no return path of ours. */
  const other: GatewayConfig = {
    ...gateway,
    gateway_id: deterministicId("gtw", "other"),
    name: "mail-2",
    settings: {
      url: `smtp://127.0.0.1:${sink.port}`,
      from: "shop@shop.example",
    },
  };
  /** Two whose mail SES takes and tells of on one topic. */
  const ses = ["ses-1", "ses-2"].map((name) => ({
    ...gateway,
    gateway_id: deterministicId("gtw", name),
    name,
    settings: {
      url: `smtp://127.0.0.1:${sink.port}`,
      from: "post@ses.example",
      return_path_domain: "bounces.ses.example",
      events: "ses",
      sns_topics: [topic],
    },
  }));
  const world = await openWorld({
    services: [inbound, delivery, contacts, conversations, suppressions, mobile],
    consumers: "run",
    driver: "memory",
    gateways: [gateway, other, ...ses],
    partners: [{}, {}],
    env: {
      HELIOGRAPH_DATA_DIR: dataDir,
      HELIOGRAPH_INBOUND_SMTP: `127.0.0.1:${port}`,
      HELIOGRAPH_INBOUND_SMTP_CERT_FILE: certificate.caFile,
      HELIOGRAPH_INBOUND_SMTP_KEY_FILE: key,
    },
  });
  const me = world.partners[0]!.id;
  /** A mail that went out over the gateway, as dispatch records it where the answer of its server is not lost; gives where it comes back to. */
  async function sentTo(to: string, by = gateway, answer: "recorded" | "lost" = "recorded") {
    const messageId = newId("msg");
    const { log, vault } = world.platform.contexts.live;
    const attemptId = attemptIdOf(messageId, 1);
    const opened = createGateway("live", by, {
      logger: world.platform.contexts.live.logger,
      masterKey: world.platform.masterKey,
      declaring: { smtpUrls: [], logGatewayChannels: [] },
      onReceipt: async () => undefined,
      origin: "https://api.example.com",
    });
    const content = { subject: "Hi", text: "Hello" };
    const attempt = { attemptId, messageId, attempt: 1, channel: "email", to, content } as const;
    const result = await opened.send({ ...attempt, partner: me }, AbortSignal.timeout(5_000));
    await opened.close();
    if (result.type !== "accepted") throw new Error(JSON.stringify(result));
    const request: EventData<"MessageRequested"> = {
      message_id: messageId,
      channel: "email",
      to,
      content,
      category: "transactional",
      priority: 1,
      expires_at: "2099-05-24T14:22:17.000Z",
      cost: "0.001",
      currency: "USD",
      price: { list: "standard", version: 1, country: "*", per_segment: "0.001" },
      segments: { count: 1, encoding: "none", characters: 5 },
      created_at: new Date().toISOString(),
    };
    const sent: EventData<"MessageSent"> = {
      message_id: messageId,
      message: messageContext(request),
      attempt: 1,
      attempt_id: attemptId,
      gateway: by.name,
      gateway_kind: by.kind,
      choice: { reason: "only one" },
      provider: { name: by.name, message_id: result.providerMessageId, status: result.status },
      cost: request.cost,
      currency: request.currency,
    };
    const metadata = { partner: me, actor: "test" };
    const events = [
      { id: uuid7(), type: "MessageRequested", data: request, metadata },
      ...(answer === "lost" ? [] : [{ id: uuid7(), type: "MessageSent", data: sent, metadata }]),
    ];
    const stream = streamOf("message", messageId);
    const add = async (expected: "no_stream" | number, added: typeof events): Promise<void> => {
      const [outcome] = await log.append([{ stream, expected, events: added }]);
      if (outcome!.kind !== "appended") throw new Error(JSON.stringify(outcome));
    };
    await add("no_stream", events);
    return {
      messageId,
      /** The answer that was lost is recorded after all. */
      found: () => add(0, [{ id: uuid7(), type: "MessageSent", data: sent, metadata }]),
      mailId: result.providerMessageId,
      returnPath: sink.messages.at(-1)!.from,
      state: async () => foldMessage(await log.readStream(stream))!,
      periods: () =>
        log.readStream(streamOf("suppression", suppressionName(vault, me, "email", to))),
    };
  }
  return {
    world,
    sink,
    certificate,
    port,
    dataDir,
    gateway,
    other,
    ses,
    sentTo,
    async close() {
      await world.close();
      await sink.close();
      await certificate.remove();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
