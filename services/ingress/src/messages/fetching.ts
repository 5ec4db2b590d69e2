import { notValid } from "@heliograph/api";
import {
  fileKey,
  keepFile,
  spoolPath,
  spoolSealed,
  type Attachments,
} from "@heliograph/attachments";
import { channelModule } from "@heliograph/channels";
import { deterministicId, PublicError, type Environment } from "@heliograph/contracts";
import { readyAttachments } from "../tables/attachments.ts";
import { NoFile, type GetFile } from "./get-file.ts";
import type { Item } from "./item.ts";
import type { Sender } from "./sender.ts";

/** Different addresses of one request: more files than that are uploaded first. */
const maxAddresses = 10;
/** Files that are being fetched at once, of one partner and in a process: who has slow ones keeps nobody else waiting. */
const maxOfOne = 20;
const maxAtOnce = 64;

/** Sends with the files at the addresses that they name, or with the reason why one is refused. */
export type FetchMedia = (
  call: Sender,
  items: readonly Item[],
  ids: readonly string[],
) => Promise<readonly Item[]>;

type Media = NonNullable<Item["body"]["media"]>[number];
type Fetched = { readonly id: string } | { readonly error: PublicError | NoFile };

/** Whether a send names a file at an address that is fetched: its channel's messages carry the files themselves. */
export const namesAddress = ({ body: { channel, media } }: Item): boolean =>
  media !== undefined &&
  channelModule(channel).fetchesMedia === true &&
  media.some((each) => "url" in each);

/**
 * Fetches what is at the addresses of a request's files, each address once, and keeps it as an attachment of the partner: what is sent, however often and however late, is what was there when it was asked for. The
 * attachment's id follows from the message's, so a repetition of the request finds it and fetches nothing.
 */
export function createFetchMedia(
  environment: Environment,
  attachments: Attachments,
  getFile: GetFile,
): FetchMedia {
  const fetching = new Map<string, number>();
  let all = 0;

  async function fetchOne(call: Sender, id: string, url: string): Promise<Fetched> {
    const partner = call.partner.partner_id;
    if ((await readyAttachments(call.deps.pool, partner, [id])).length > 0) return { id };
    const own = fetching.get(partner) ?? 0;
    if (own >= maxOfOne || all >= maxAtOnce) return { error: busy() };
    fetching.set(partner, own + 1);
    all++;
    try {
      return await keep(call, id, url);
    } catch (error) {
      if (error instanceof NoFile) return { error };
      throw error;
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
        received: true,
      },
      key,
      async () => spooled,
      () => "",
    );
    if (kept.kind === "kept") return { id };
    return { error: kept.kind === "full" ? full() : busy() };
  }

  return async (call, items, ids) => {
    const found = new Map<string, Promise<Fetched>>();
    for (const [index, item] of items.entries())
      if (namesAddress(item))
        for (const media of item.body.media!)
          if ("url" in media && !found.has(media.url) && found.size < maxAddresses) {
            const id = deterministicId("att", "fetched", ids[index]!, media.url);
            found.set(media.url, fetchOne(call, id, media.url));
          }
    const settled = new Map<string, Fetched>();
    for (const [url, one] of found) settled.set(url, await one);
    return items.map((item) => (namesAddress(item) ? withFiles(item, settled) : item));
  };
}

function withFiles(item: Item, found: ReadonlyMap<string, Fetched>): Item {
  const media: Media[] = [];
  for (const [index, each] of item.body.media!.entries()) {
    if (!("url" in each)) {
      media.push(each);
      continue;
    }
    const { url, type: _, ...given } = each;
    const one = found.get(url);
    const path = `media.${index}.url`;
    if (one === undefined)
      return refusedWith(
        item,
        path,
        "too_many",
        `is behind the first ${maxAddresses} addresses of the request: upload the file with POST /attachments`,
      );
    if ("id" in one) media.push({ ...given, attachment_id: one.id });
    else if (one.error instanceof PublicError) return { ...item, refusal: one.error };
    else return refusedWith(item, path, one.error.code, one.error.message);
  }
  return { ...item, body: { ...item.body, media }, asked: item.asked ?? item.body };
}

const refusedWith = (item: Item, path: string, code: string, message: string): Item => ({
  ...item,
  refusal: notValid("body", [{ path, code, message }]),
});

const busy = (): PublicError =>
  new PublicError("rate_limited", "Too many files are being fetched at once.", {
    retryAfterSeconds: 5,
  });
const full = (): PublicError =>
  new PublicError(
    "attachment_quota_exceeded",
    "There is no room for the file: what is fetched takes half of the quota of attachments at most.",
  );
