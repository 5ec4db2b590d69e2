import { rm } from "node:fs/promises";
import {
  adoptFiles,
  attachmentsIn,
  type AttachmentRow,
  type Fetch,
  fileKey,
  findAttachment,
  hasRoom,
  keepFile,
  maxAttachmentBytes,
  spoolPath,
  spoolSealed,
} from "@heliograph/attachments";
import { type EventData, failpoint, type LostFileReason, streamOf } from "@heliograph/contracts";
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

type Received = EventData<"InboundReceived">;
type InboundFile = NonNullable<InboundReading["files"]>[number];
/**
 * `over`: its partner is gone. `kept`: it is there, `isNew` by this very try. A reason is a code, which the API says where the file is lost; `untried`: what came with the message says so already.
 */
export type Outcome =
  | { readonly kind: "over" | "erased" }
  | { readonly kind: "kept"; readonly file: Kept; readonly isNew: boolean }
  | { readonly kind: "lost"; readonly reason: LostFileReason; readonly untried?: true }
  | { readonly kind: "again"; readonly reason: LostFileReason };
type Kept = { readonly type: string; readonly bytes: number };
type Named = { readonly file: InboundFile; readonly gateway: GatewayConfig | undefined };

/** Fetches one file that a person sent, and keeps it as the partner's and the contact's. Safe to repeat. */
export async function fetchFile(
  context: ServiceContext,
  fetch: Fetch,
  received: Received | undefined,
  signal: AbortSignal,
): Promise<Outcome> {
  const { directory, environment } = context;
  const { id, partner, contact_id, place } = fetch;
  if (received === undefined || directory.isOver(environment, partner)) return { kind: "over" };
  const reason = received.files?.[place]?.not_kept;
  if (reason !== undefined) return { kind: "lost", reason, untried: true };
  const named = await fileNamedBy(context, received, place);
  if (named === undefined) return { kind: "erased" };
  try {
    const outcome = await keep(context, fetch, named, signal);
    if (outcome.kind !== "kept") return outcome;
    // Whose it is is looked at once it is there: an erasure that came meanwhile takes it along.
    const gone = await adoptFiles(context, partner, contact_id, [id]);
    if (gone.ids.length === 0) return outcome;
    const { reason } = gone;
    return reason === "erased" ? { kind: "erased" } : { kind: "lost", reason };
  } catch (error) {
    if (!(error instanceof NoReceivedFile)) throw error;
    const { permanent, code: reason } = error;
    return { kind: permanent ? "lost" : "again", reason };
  }
}

/** The record of what a file came with. */
export async function receivedWith(
  { log }: Pick<ServiceContext, "log">,
  { inbound_id }: Pick<Fetch, "inbound_id">,
): Promise<Received | undefined> {
  const [event] = await log.readStream(streamOf("inbound", inbound_id), { limit: 1 });
  return event?.type === "InboundReceived" ? event.data : undefined;
}

/** What the provider calls the file, from the record of what was received; undefined where that is erased. */
async function fileNamedBy(
  { vault, directory, environment }: ServiceContext,
  received: Received,
  place: number,
): Promise<Named | undefined> {
  const data = (await vault.open(undefined, received))(received);
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

const fileIn = ({ type, bytes }: AttachmentRow): Kept => ({
  type: type ?? "application/octet-stream",
  bytes: bytes ?? 0,
});

async function keep(
  context: ServiceContext,
  { id, partner, contact_id }: Fetch,
  { file, gateway }: Named,
  signal: AbortSignal,
): Promise<Outcome> {
  const { pool, vault, settings, environment, masterKey } = context;
  if (gateway === undefined) return { kind: "again", reason: "no_gateway" };
  const there = await findAttachment(pool, id, partner);
  if (there?.status === "ready") return { kind: "kept", file: fileIn(there), isNew: false };
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
        return { kind: "kept", file: fileIn(kept.row), isNew: true };
      case "full":
        // The partner may make room.
        return { kind: "again", reason: "no_room" };
      case "taken":
        return { kind: "again", reason: "failed" };
      default:
        return kept satisfies never;
    }
  } finally {
    // Where there was no room for it, nobody else has taken it.
    await rm(spooled.path, { force: true });
  }
}
