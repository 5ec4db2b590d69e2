import { pipeline } from "node:stream/promises";
import {
  type Answer,
  type Call,
  type Route,
  attachmentLink,
  isSigned,
  linkLives,
  originOf,
  replayedHeader,
  route,
  streamed,
} from "@heliograph/api";
import {
  cleanName,
  contentOf,
  disposition,
  findAttachment,
  findFetch,
  giveUp,
  isPassive,
  markDeleted,
  maxAttachmentBytes,
  nameInHeader,
  openedRow,
  sniffedTypes,
  type AttachmentRow,
} from "@heliograph/attachments";
import {
  environments,
  isId,
  type LostFileReason,
  lostFileReasons,
  PublicError,
} from "@heliograph/contracts";
import { z } from "zod";
import { attachments } from "../attachments/hosted.ts";
import { upload } from "../attachments/upload.ts";

const Attachment = z
  .object({
    id: z.string().meta({ description: "`att_…`" }),
    type: z.string().meta({ description: "By its bytes, whatever was declared." }),
    name: z.string().nullable(),
    bytes: z.int(),
    url: z.string().meta({
      description: "Opens it without a key, for an hour. Made anew each time it is read.",
    }),
    created_at: z.string(),
  })
  .meta({ id: "Attachment" });

const UploadQuery = z.strictObject({
  name: z
    .string()
    .max(1024)
    .optional()
    .meta({ description: "The file's name; else that of `Content-Disposition`." }),
  contact_id: z
    .string()
    .refine((id) => isId("cnt", id), "must be the id of a contact")
    .optional()
    .meta({ description: "Whose it is: it is erased with the contact." }),
});

const DeleteQuery = z.strictObject({
  even_if_sent: z.enum(["true", "false"]).optional().meta({
    description:
      "Whether it is destroyed although messages name it: their media open no more, and one that is not sent yet goes out with a link to nothing.",
  }),
});

const LinkQuery = z.strictObject({
  environment: z.enum(environments),
  expires: z
    .string()
    .regex(/^\d{1,12}$/)
    .transform(Number)
    .meta({ description: "Until when the link works: seconds since 1970." }),
  signature: z.string().max(64).meta({ description: "Of the link; it ends with the link." }),
});

/** Reads the row's own texts. Throws `contact_erased` when its key is destroyed. */
async function opened(
  { vault }: Call["deps"],
  row: AttachmentRow,
): Promise<{ readonly key: Buffer; readonly name: string | null }> {
  const found = await openedRow(vault, row);
  if (found === undefined)
    throw new PublicError("contact_erased", "The attachment was erased with its contact.");
  return found;
}

async function show(
  call: Call<unknown, unknown>,
  row: AttachmentRow,
  nowMs = Date.now(),
): Promise<object> {
  const { name } = await opened(call.deps, row);
  const { masterKey, settings } = call.context;
  const origin = originOf(call.request, settings);
  return {
    id: row.id,
    type: row.type,
    name,
    bytes: row.bytes,
    url: attachmentLink({ masterKey, origin, environment: call.env }, row.id, nowMs),
    created_at: row.created_at.toISOString(),
  };
}

async function create(call: Call<undefined, z.infer<typeof UploadQuery>>): Promise<Answer> {
  const { headers } = call.request;
  const given = call.query.name ?? nameInHeader(headers["content-disposition"]);
  const { row, repeated } = await upload(call, attachments.of(call), {
    id: call.derivedId("att"),
    name: (given === undefined ? undefined : cleanName(given)) ?? null,
    contactId: call.query.contact_id ?? null,
    bytes: headers["content-length"] === undefined ? undefined : Number(headers["content-length"]),
  });
  // While the first link opens the file, a repetition is answered byte for byte.
  const [made, now] = [row.created_at.getTime(), Date.now()];
  const body = await show(call, row, linkLives(made, now) ? made : now);
  return { status: 201, body, ...(repeated && { headers: replayedHeader }) };
}

async function ownAttachment(call: Call<unknown, unknown>): Promise<AttachmentRow> {
  const { id = "" } = call.params;
  const row = await findAttachment(call.deps.pool, id, call.partner.partner_id);
  if (row?.status !== "ready") throw await absence(call.deps, id, call.partner.partner_id);
  return row;
}

/** Behind the name of the field. */
const whyLost: Readonly<Record<LostFileReason, string>> = {
  gone: "is of a file that its provider does not have any more",
  too_large: `is of a file of more than ${maxAttachmentBytes / 1_000_000} MB`,
  no_room: "is of a file for which the quota had no room in a day",
  too_many: "is of a file that came when too many were waiting",
  refused: "is of a file that its provider did not give out in a day",
  unreachable: "is of a file whose provider could not be reached in a day",
  no_gateway: "is of a file whose gateway is not there any more",
  failed: "is of a file that could not be stored in a day",
  erased: "is of a file of a person who was erased",
};

/** Why there is none: of what a person sent its provider may not have given it out yet. */
async function absence({ pool }: Call["deps"], id: string, partner?: string): Promise<PublicError> {
  const fetch = await findFetch(pool, id, partner);
  if (fetch === undefined) return new PublicError("not_found", "There is no such attachment.");
  if (fetch.status === "due")
    return new PublicError("attachment_pending", "The file is being fetched from its provider.", {
      retryAfterSeconds: 5,
    });
  // Earlier releases had two more words for what failed here.
  const code = lostFileReasons.find((reason) => reason === fetch.reason) ?? "failed";
  return new PublicError("attachment_lost", "The file could not be had from its provider.", {
    errors: [{ path: "id", code, message: whyLost[code] }],
  });
}

const read = async (call: Call): Promise<Answer> => ({
  status: 200,
  body: await show(call, await ownAttachment(call)),
});

/** A message that names it may still be on its way, and those that were sent show it: whoever destroys it all the same says so. */
async function remove(call: Call<undefined, z.infer<typeof DeleteQuery>>): Promise<Answer> {
  const row = await ownAttachment(call);
  if (!(await markDeleted(call.deps.pool, row, call.query.even_if_sent === "true")))
    throw new PublicError(
      "attachment_in_use",
      "Messages name the attachment. With ?even_if_sent=true it is destroyed all the same.",
    );
  await call.deps.vault.destroy(row.partner, [row.id]);
  await giveUp(call.deps.pool, attachments.of(call).store, row);
  return { status: 204 };
}

/** The file itself. The link is the right to it; everything else that might hold script is kept from running by its headers. */
async function content(call: Call<undefined, z.infer<typeof LinkQuery>>): Promise<Answer> {
  const { environment, expires, signature } = call.query;
  const { masterKey, environments: all } = call.context;
  const id = call.params["id"]!;
  if (!isSigned(masterKey, { environment, id, expires }, signature))
    throw new PublicError("link_not_valid", "The link was changed, or is not ours.");
  if (expires * 1000 < Date.now())
    throw new PublicError("link_expired", "The link has expired: read the attachment again.");
  const deps = all[environment];
  const row = await findAttachment(deps.pool, id);
  const isOver = call.context.directory.isOver(environment, row?.partner);
  if (isOver) throw new PublicError("not_found", "There is no such attachment.");
  if (row?.status !== "ready" || row.type === null) throw await absence(deps, id);
  const { key, name } = await opened(deps, row);
  const bytes =
    call.request.method === "HEAD" ? [] : await contentOf(attachments.of(call), row, key);
  const { response } = call;
  call.beginStream({
    "Content-Type": row.type === "text/plain" ? "text/plain; charset=utf-8" : row.type,
    "Content-Length": String(row.bytes),
    "Content-Disposition": disposition(isPassive(row.type) ? "inline" : "attachment", name ?? id),
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
  });
  // The answer has begun: where the bytes are not as they were stored, all that can be said is that it ends early.
  await pipeline(bytes, response).catch((error: unknown) => {
    if (!call.signal.aborted)
      call.context.logger.error({ err: error, request_id: call.requestId }, "a file was cut off");
  });
  return streamed;
}

const path = "/attachments/:id";

export const attachmentRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/attachments",
    scope: "conversations:write",
    summary: "Stores a file of at most 10 MB, sent as it is",
    query: UploadQuery,
    streams: ["*/*"],
    maxBodyBytes: maxAttachmentBytes,
    response: Attachment,
    status: 201,
    errors: ["attachment_quota_exceeded"],
    mutates: true,
    idempotency: "stream",
    repeats: async (call) =>
      (await findAttachment(call.deps.pool, call.derivedId("att"), call.partner.partner_id)) !==
      undefined,
    handler: create,
  }),
  route({
    method: "GET",
    path,
    scope: "conversations:read",
    summary: "An attachment, with a link to its content",
    response: Attachment,
    errors: ["not_found", "contact_erased", "attachment_pending", "attachment_lost"],
    handler: read,
  }),
  route({
    method: "DELETE",
    path,
    scope: "conversations:write",
    summary: "Destroys an attachment",
    query: DeleteQuery,
    response: undefined,
    errors: ["not_found", "attachment_in_use", "attachment_pending", "attachment_lost"],
    mutates: true,
    handler: remove,
  }),
  route({
    method: "GET",
    path: `${path}/content`,
    scope: "public",
    summary: "The file, by the link of its attachment",
    query: LinkQuery,
    response: undefined,
    contentType: sniffedTypes,
    status: 200,
    errors: [
      "not_found",
      "link_not_valid",
      "link_expired",
      "contact_erased",
      "attachment_pending",
      "attachment_lost",
    ],
    handler: content,
  }),
];
