import { setImmediate } from "node:timers/promises";
import { notValid } from "@heliograph/api";
import { giveUpUnsent, type Attachments } from "@heliograph/attachments";
import { channelModule } from "@heliograph/channels";
import { deterministicId, PublicError, type Environment } from "@heliograph/contracts";
import { createFetchOne, type Fetched } from "./fetch-one.ts";
import type { GetFile } from "./get-file.ts";
import type { Item, Settled } from "./item.ts";
import type { Sender } from "./sender.ts";

/** Different addresses of one request: more files than that are uploaded first. */
const maxAddresses = 10;
/** Sends that are refused before their files are fetched hold the process for no longer than so many together. */
const checkedAtOnce = 25;

/** Sends with the files at the addresses that they name. `check` throws what a send is refused with whatever its files are, and then nothing is fetched for it. */
export type FetchMedia = (
  call: Sender,
  asked: readonly Item[],
  ids: readonly string[],
  steps: {
    check(item: Item, id: string): Promise<unknown>;
    send(items: readonly Item[]): Promise<readonly Settled[]>;
  },
) => Promise<readonly Settled[]>;

type Media = NonNullable<Item["body"]["media"]>[number];

/** Whether a send names a file at an address that is fetched: its channel's messages carry the files themselves. */
export const namesAddress = ({ body: { channel, media } }: Item): boolean =>
  media !== undefined &&
  channelModule(channel).fetchesMedia === true &&
  media.some((each) => "url" in each);

/**
 * Fetches what is at the addresses of a request's files, each address once, and keeps it as an attachment of the partner: what is sent, however often and however late, is what was there when it was asked for. The
 * attachment's id follows from the message's, so a repetition of the request finds it and fetches nothing. What was fetched for sends that are all refused is given up at once.
 */
export function createFetchMedia(
  environment: Environment,
  attachments: Attachments,
  getFile: GetFile,
): FetchMedia {
  const fetchOne = createFetchOne(environment, attachments, getFile);

  async function giveUp(call: Sender, id: string): Promise<void> {
    try {
      await giveUpUnsent(call.deps.pool, attachments.store, call.partner.partner_id, id);
    } catch (error) {
      // A sweep takes it after some days.
      call.context.logger.warn({ err: error }, "a file of a refused send was not given up");
    }
  }

  return async (call, asked, ids, { check, send }) => {
    const { checked, wanted } = await checkAll(asked, ids, check);
    const found = new Map(
      await Promise.all(
        [...wanted].map(async ([url, id]) => [url, await fetchOne(call, id, url)] as const),
      ),
    );
    const items = checked.map((item) => (isFetchedFor(item) ? withFiles(item, found) : item));
    let results: readonly Settled[] = [];
    try {
      return (results = await send(items));
    } finally {
      const sent = new Set(
        items.flatMap(({ body }, index) =>
          results[index]?.kind === "sent" ? body.media?.map((each) => idOf(each)) : [],
        ),
      );
      for (const one of found.values())
        if ("id" in one && one.isNew && !sent.has(one.id)) await giveUp(call, one.id);
    }
  };
}

const isFetchedFor = (item: Item): boolean => item.refusal === undefined && namesAddress(item);
const idOf = (media: Media): string | undefined =>
  "attachment_id" in media ? media.attachment_id : undefined;

/** The sends, of which some are refused already, and the addresses of the others with the ids of their files. */
async function checkAll(
  asked: readonly Item[],
  ids: readonly string[],
  check: Parameters<FetchMedia>[3]["check"],
): Promise<{ readonly checked: readonly Item[]; readonly wanted: ReadonlyMap<string, string> }> {
  const wanted = new Map<string, string>();
  const checked: Item[] = [];
  let checks = 0;
  for (const [index, item] of asked.entries()) {
    checked.push(item);
    if (!isFetchedFor(item)) continue;
    const urls = item.body.media!.flatMap((each) => ("url" in each ? each.url : []));
    // One whose files are fetched for another, or are too many, is held against everything when it is sent.
    if (wanted.size === maxAddresses || urls.every((url) => wanted.has(url))) continue;
    if (++checks % checkedAtOnce === 0) await setImmediate();
    try {
      await check(item, ids[index]!);
    } catch (error) {
      if (!(error instanceof PublicError)) throw error;
      checked[index] = { ...item, refusal: error };
      continue;
    }
    for (const url of urls)
      if (wanted.size < maxAddresses && !wanted.has(url))
        wanted.set(url, deterministicId("att", "fetched", ids[index]!, url));
  }
  return { checked, wanted };
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
