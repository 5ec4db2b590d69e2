import { rm } from "node:fs/promises";
import { asPublicError, machinery } from "@heliograph/api";
import {
  fileKey,
  keepFile,
  spoolPath,
  spoolSealed,
  type Attachments,
} from "@heliograph/attachments";
import { PublicError, type Environment } from "@heliograph/contracts";
import { readyAttachments } from "../tables/attachments.ts";
import { NoFile, type GetFile } from "./get-file.ts";
import type { Sender } from "./sender.ts";

/** Files that are being fetched at once, of one partner and in a process: who has slow ones keeps nobody else waiting. */
const maxOfOne = 20;
const maxAtOnce = 64;

/** `isNew`: this request has fetched it. */
export type Fetched =
  | { readonly id: string; readonly isNew: boolean }
  | { readonly error: PublicError | NoFile };

/** Fetches the file at an address and keeps it as an attachment of this id, where there is none yet. */
export function createFetchOne(
  environment: Environment,
  attachments: Attachments,
  getFile: GetFile,
): (call: Sender, id: string, url: string) => Promise<Fetched> {
  const fetching = new Map<string, number>();
  let all = 0;

  /** Never rejects: others are fetched beside it, and one file's failure is one send's. */
  async function fetchOne(call: Sender, id: string, url: string): Promise<Fetched> {
    try {
      const ready = await readyAttachments(call.deps.pool, call.partner.partner_id, [id]);
      return ready.length > 0 ? { id, isNew: false } : await inTurn(call, id, url);
    } catch (error) {
      if (error instanceof NoFile) return { error };
      const refusal = machinery(error) ?? asPublicError(error);
      call.context.logger.error({ err: error, request_id: call.requestId }, refusal.code);
      return { error: refusal };
    }
  }

  async function inTurn(call: Sender, id: string, url: string): Promise<Fetched> {
    const partner = call.partner.partner_id;
    const own = fetching.get(partner) ?? 0;
    if (own >= maxOfOne || all >= maxAtOnce) return { error: busy() };
    fetching.set(partner, own + 1);
    all++;
    try {
      return await keep(call, id, url);
    } finally {
      const left = fetching.get(partner)! - 1;
      if (left === 0) fetching.delete(partner);
      else fetching.set(partner, left);
      all--;
    }
  }

  async function keep(call: Sender, id: string, url: string): Promise<Fetched> {
    const key = fileKey();
    const { spooled, name } = await getFile(url, async (chunks, found) => ({
      name: found,
      spooled: await spoolSealed(chunks, key, spoolPath(attachments)),
    }));
    try {
      const kept = await keepFile(
        call.deps,
        attachments,
        {
          environment,
          id,
          partner: call.partner.partner_id,
          name: name ?? null,
          contactId: null,
          bytes: spooled.bytes,
          origin: "fetched",
        },
        key,
        async () => spooled,
        () => "",
      );
      if (kept.kind === "kept") return { id, isNew: true };
      return { error: kept.kind === "full" ? full() : busy() };
    } finally {
      // Where there was no room for it, nobody else has taken it.
      await rm(spooled.path, { force: true });
    }
  }

  return fetchOne;
}

const busy = (): PublicError =>
  new PublicError("rate_limited", "Too many files are being fetched at once.", {
    retryAfterSeconds: 5,
  });
const full = (): PublicError =>
  new PublicError(
    "attachment_quota_exceeded",
    "There is no room for the file in the quota of attachments.",
  );
