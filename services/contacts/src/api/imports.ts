import { createHash } from "node:crypto";
import {
  type Answer,
  type Call,
  type Route,
  appendOne,
  etagOf,
  fingerprint,
  keyReused,
  originOf,
  replayedHeader,
  route,
  sendStream,
  writeCell,
} from "@heliograph/api";
import { PublicError, isId, streamOf } from "@heliograph/contracts";
import { stringify } from "csv-stringify/sync";
import { z } from "zod";
import { type Upload, forgetFile, storeFile } from "../imports/file.ts";
import { type Format, formats, refusalOf } from "../imports/rows.ts";
import {
  type ErrorRow,
  type ImportRecord,
  addImport,
  countOpen,
  readErrors,
  readImport,
} from "../tables/imports.ts";

/** A million contacts with all that an export has of them, twice over. */
const maxFileBytes = 512 * 1024 * 1024;
/** A file of that size over a line of 5 Mbit/s. */
const maxUploadMs = 15 * 60_000;
/** Files that wait are kept; more than these are a loop. */
const maxOpen = 10;
const errorsPage = 1_000;

const typeOf = { "text/csv": "csv", "application/x-ndjson": "ndjson" } as const;

const ImportQuery = z.strictObject({
  on_conflict: z
    .enum(["update", "skip", "fail"])
    .optional()
    .meta({ description: "What becomes of a row whose contact is there already; update." }),
});
const ErrorsQuery = z.strictObject({
  format: z.enum(formats).optional().meta({ description: "That of the file; csv." }),
});

const Accepted = z
  .object({ id: z.string(), status: z.enum(["queued", "running", "done", "failed"]) })
  .meta({ id: "AcceptedImport" });
const ImportView = z
  .object({
    ...Accepted.shape,
    rows: z.int().meta({ description: "Records taken so far: the sum of the four below." }),
    created: z.int(),
    updated: z.int(),
    skipped: z.int(),
    failed: z.int(),
    errors_url: z.string().nullable().meta({ description: "A file of what was wrong with rows." }),
    error: z
      .string()
      .nullable()
      .meta({ description: "Why the file could not be read to its end." }),
    created_at: z.string(),
    finished_at: z.string().nullable(),
  })
  .meta({ id: "ContactImport" });

type ImportCall = Call<undefined, z.infer<typeof ImportQuery>>;

async function request(call: ImportCall): Promise<Answer> {
  const { pool, vault, log } = call.deps;
  const { request, env, partner } = call;
  const id = call.derivedId("imp");
  const partnerId = partner.partner_id;
  const known = await readImport(pool, partnerId, id);
  if (known === undefined && (await countOpen(pool, partnerId)) >= maxOpen)
    throw new PublicError("rate_limited", `${maxOpen} imports of a partner wait at most.`, {
      retryAfterSeconds: 10,
    });
  const format = formatOf(call);
  const digest = createHash("sha256");
  let bytes = 0;
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const piece of call.chunks()) {
      digest.update(piece);
      bytes += piece.length;
      yield piece;
    }
  };
  const upload = await storeFile({ pool, vault }, partnerId, counted(), (first) => {
    const refusal = refusalOf(format, first);
    if (refusal !== undefined) throw refusal;
  });
  // A file of one row is found by trying: its hash is kept as a name that takes the environment's key to make.
  const asked = vault.name(
    "request",
    fingerprint(`POST ${request.url}`, { format, sha256: digest.digest("hex"), env }),
  );
  const on_conflict = call.query.on_conflict ?? "update";
  const row = { id, partner: partnerId, format, on_conflict, fingerprint: asked };
  const stored = await addImport(pool, {
    ...row,
    ...upload,
    actor: call.actor,
    request_id: call.requestId,
  });
  const repeated = stored.upload !== upload.upload;
  if (repeated) await refuseOther(call, upload, stored, asked);
  const data = {
    import_id: id,
    format,
    on_conflict,
    bytes,
    requested_at: new Date().toISOString(),
  };
  const metadata = call.metadata({ correlation: id });
  const appended = await appendOne(log, {
    stream: streamOf("import", id),
    expected: "no_stream",
    events: [{ id: call.eventId("import"), type: "ContactImportRequested", data, metadata }],
  });
  return {
    status: 202,
    body: { id, status: "queued" },
    position: appended?.position,
    ...(repeated && { headers: replayedHeader }),
  };
}

/** The file came twice: the first one counts, if both are the same. */
async function refuseOther(
  call: ImportCall,
  upload: Upload,
  stored: { readonly fingerprint: string; readonly request_id: string },
  asked: string,
): Promise<void> {
  await forgetFile(call.deps, call.partner.partner_id, upload);
  if (stored.fingerprint !== asked) throw keyReused(stored.request_id);
}

function formatOf({ request }: ImportCall): Format {
  const [type = "", ...parameters] = (request.headers["content-type"] ?? "").split(";");
  const charset = /charset\s*=\s*"?([^"\s]*)/i.exec(parameters.join(";"))?.[1];
  if (charset !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(charset))
    throw new PublicError("unsupported_media_type", "Send the file in UTF-8.");
  return typeOf[type.trim().toLowerCase() as keyof typeof typeOf];
}

async function find(call: Call<undefined, unknown>): Promise<ImportRecord> {
  const id = call.params["id"]!;
  const found = isId("imp", id)
    ? await readImport(call.deps.pool, call.partner.partner_id, id)
    : undefined;
  if (found === undefined) throw new PublicError("not_found", "There is no such import.");
  return found;
}

async function one(call: Call<undefined, undefined>): Promise<Answer> {
  const { created_at, finished_at, ...found } = await find(call);
  const origin = originOf(call.request, call.context.settings);
  const body = {
    ...found,
    errors_url: found.failed === 0 ? null : `${origin}/api/v1/contact-imports/${found.id}/errors`,
    created_at: created_at.toISOString(),
    finished_at: finished_at?.toISOString() ?? null,
  };
  const etag = etagOf(found.status, found.rows);
  return { status: 200, body, etag };
}

const errorColumns = ["line", "row", "field", "code", "message"] as const;

async function errors(call: Call<undefined, z.infer<typeof ErrorsQuery>>): Promise<Answer> {
  const { id } = await find(call);
  const csv = call.query.format !== "ndjson";
  const write = (rows: readonly ErrorRow[]): string =>
    csv
      ? stringify(
          rows.map((row) => errorColumns.map((column) => cell(row[column]))),
          { record_delimiter: "windows" },
        )
      : rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  async function* texts(): AsyncGenerator<string> {
    if (csv) yield stringify([[...errorColumns]], { record_delimiter: "windows", bom: true });
    for (let after = 0; ;) {
      const rows = await readErrors(call.deps.pool, id, after, errorsPage);
      if (rows.length === 0) return;
      yield write(rows);
      after = rows.at(-1)!.row;
    }
  }
  return sendStream(call, csv ? "csv" : "ndjson", `import-errors-${id}`, texts());
}

const cell = (value: string | number): string => writeCell(String(value));

export const importRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/contact-imports",
    scope: "contacts:write",
    summary: "Import contacts from a file",
    mutates: true,
    idempotency: "stream",
    streams: Object.keys(typeOf),
    streamExamples: {
      "text/csv": "name,sms,tags\nAda Lovelace,+15551234567,vip\n",
      "application/x-ndjson": '{"name":"Ada Lovelace","sms":"+15551234567","tags":["vip"]}\n',
    },
    maxBodyBytes: maxFileBytes,
    maxBodyMs: maxUploadMs,
    status: 202,
    query: ImportQuery,
    response: Accepted,
    errors: ["invalid_request", "idempotency_key_reused", "log_unavailable"],
    repeats: async (call) =>
      (await readImport(call.deps.pool, call.partner.partner_id, call.derivedId("imp"))) !==
      undefined,
    handler: request,
  }),
  route({
    method: "GET",
    path: "/contact-imports/:id",
    scope: "contacts:read",
    summary: "Get how far an import is",
    etag: true,
    response: ImportView,
    errors: ["not_found"],
    handler: one,
  }),
  route({
    method: "GET",
    path: "/contact-imports/:id/errors",
    scope: "contacts:read",
    summary: "Get what was wrong with rows of an import, as a file",
    query: ErrorsQuery,
    status: 200,
    response: undefined,
    contentType: ["text/csv", "application/x-ndjson"],
    errors: ["not_found", "invalid_request"],
    handler: errors,
  }),
];
