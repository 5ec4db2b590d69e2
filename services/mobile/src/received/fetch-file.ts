import { rm } from "node:fs/promises";
import {
  adoptFiles,
  attachmentsIn,
  type Fetch,
  fileKey,
  findAttachment,
  hasRoom,
  keepFile,
  maxAttachmentBytes,
  spoolPath,
  spoolSealed,
} from "@heliograph/attachments";
import { failpoint, streamOf } from "@heliograph/contracts";
import {
  bytesOf,
  type InboundReading,
  NoReceivedFile,
  parseInbound,
  receivedFileAddress,
  type GatewayConfig,
} from "@heliograph/gateways";
import type { ServiceContext } from "@heliograph/runtime";
import { erasedText } from "@heliograph/vault";
import { openDownload, tooLarge } from "./download.ts";

/** For the whole of a file, from the first name to the last byte: 10 MB at 1.4 Mbit/s. */
export const fetchMs = 60_000;

type InboundFile = NonNullable<InboundReading["files"]>[number];
/** `over`: nobody wants it any more, or it is there, `kept` by this very try. A reason is a code, which the API says where the file is lost. */
export type Outcome =
  | { readonly kind: "over"; readonly kept?: true }
  | { readonly kind: "lost"; readonly reason: string }
  | { readonly kind: "again"; readonly reason: string };
const over: Outcome = { kind: "over" };

/** Fetches one file that a person sent, and keeps it as the partner's and the contact's. Safe to repeat. */
export async function fetchFile(
  context: ServiceContext,
  fetch: Fetch,
  signal: AbortSignal,
): Promise<Outcome> {
  const { directory, environment } = context;
  const { id, partner, contact_id } = fetch;
  if (directory.isOver(environment, partner)) return over;
  const named = await fileNamedBy(context, fetch);
  if (named === undefined) return over;
  try {
    const outcome = await keep(context, fetch, named, signal);
    // Whose it is is looked at once it is there: an erasure that came meanwhile takes it along.
    if (outcome.kind === "over") await adoptFiles(context, partner, contact_id, [id]);
    return outcome;
  } catch (error) {
    if (!(error instanceof NoReceivedFile)) throw error;
    const { permanent, code: reason } = error;
    return { kind: permanent ? "lost" : "again", reason };
  }
}

/** What the provider calls the file, from the record of what was received; undefined where that is erased. */
async function fileNamedBy(
  { log, vault, directory, environment }: ServiceContext,
  { inbound_id, place }: Fetch,
): Promise<
  { readonly file: InboundFile; readonly gateway: GatewayConfig | undefined } | undefined
> {
  const [event] = await log.readStream(streamOf("inbound", inbound_id), { limit: 1 });
  if (event?.type !== "InboundReceived") return undefined;
  const data = (await vault.open(undefined, event.data))(event.data);
  if (data.raw === erasedText) return undefined;
  const gateway = directory
    .gateways(environment, data.channel)
    .find(({ gateway_id }) => gateway_id === data.gateway_id);
  const { files } = await parseInbound(data.gateway_kind, {
    raw: bytesOf(data),
    contentType: data.content_type,
    gateway: { name: gateway?.name ?? data.gateway_id, channel: data.channel },
  });
  const file = files?.[place];
  return file && { file, gateway };
}

async function keep(
  context: ServiceContext,
  { id, partner, contact_id }: Fetch,
  { file, gateway }: { readonly file: InboundFile; readonly gateway: GatewayConfig | undefined },
  signal: AbortSignal,
): Promise<Outcome> {
  const { pool, vault, settings, environment, masterKey } = context;
  if (gateway === undefined) return { kind: "again", reason: "no_gateway" };
  if ((await findAttachment(pool, id, partner))?.status === "ready") return over;
  const attachments = attachmentsIn(settings);
  /** What has no room is not fetched: it would be each time it is tried, for nothing. */
  const requireRoom = async (bytes: number | undefined): Promise<void> => {
    if (bytes === undefined) return;
    if (bytes > maxAttachmentBytes) throw tooLarge();
    if (!(await hasRoom(pool, attachments, partner, bytes)))
      throw new NoReceivedFile("no_room", "the quota has no room for it");
  };
  await requireRoom(file.bytes);
  const download = openDownload(settings, AbortSignal.any([signal, AbortSignal.timeout(fetchMs)]));
  const address = await receivedFileAddress(gateway, masterKey, file.file, download.ask);
  await requireRoom(address.bytes);
  const key = fileKey();
  const spooled = await download.file(address, requireRoom, (chunks) =>
    spoolSealed(chunks, key, spoolPath(attachments)),
  );
  try {
    await failpoint("received.fetched");
    const kept = await keepFile(
      { pool, vault },
      attachments,
      {
        environment,
        id,
        partner,
        name: file.name ?? null,
        contactId: contact_id,
        bytes: spooled.bytes,
        origin: "received",
      },
      key,
      async () => spooled,
      () => "",
    );
    switch (kept.kind) {
      case "kept":
        return { kind: "over", kept: true };
      case "full":
        // The partner may make room.
        return { kind: "again", reason: "no_room" };
      case "taken":
        return { kind: "again", reason: "busy" };
      default:
        return kept satisfies never;
    }
  } finally {
    // Where there was no room for it, nobody else has taken it.
    await rm(spooled.path, { force: true });
  }
}
