import { dialAs } from "@heliograph/api";
import { attachmentsIn, type Attachments } from "@heliograph/attachments";
import { newId } from "@heliograph/contracts";
import { readSettings } from "@heliograph/runtime";
import type { World } from "@heliograph/testkit/world";
import { createFetchMedia } from "../src/messages/fetching.ts";
import { createGetFile } from "../src/messages/get-file.ts";
import type { Item, Settled } from "../src/messages/item.ts";

type Pool = World["platform"]["contexts"]["sandbox"]["pool"];

export type How = {
  readonly ids?: readonly string[];
  readonly given?: Partial<Attachments>;
  readonly kind?: Settled["kind"];
  check?(item: Item): Promise<unknown>;
};

/** Fetches from this machine, and answers with the items as they are sent; those that are not refused end as `kind`. */
export async function sendFetched(
  deps: World["platform"]["contexts"]["sandbox"],
  partner: string,
  items: readonly Item[],
  {
    ids = items.map(() => newId("msg")),
    given = {},
    kind = "sent",
    check = async () => undefined,
  }: How = {},
): Promise<readonly Item[]> {
  const settings = readSettings({ HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8" });
  const fetchMedia = createFetchMedia(
    "sandbox",
    { ...attachmentsIn(deps.settings), ...given },
    createGetFile(dialAs(settings, {}, 2_000)),
  );
  const logger = { error: () => undefined, warn: () => undefined };
  const sender = { deps, partner: { partner_id: partner }, context: { logger } };
  let sent: readonly Item[] = [];
  await fetchMedia(sender as never, items, ids, {
    check,
    async send(all) {
      sent = all;
      return all.map(({ refusal }) => ({ kind: refusal ? "refused" : kind }) as Settled);
    },
  });
  return sent;
}

/** A pool whose statements with this word are explained before they run. */
export function explained(pool: Pool, word: string) {
  const plans: string[] = [];
  const query = async (text: string, values: unknown[]) => {
    if (text.includes(word))
      plans.push(JSON.stringify((await pool.query(`explain (format json) ${text}`, values)).rows));
    return pool.query(text, values);
  };
  return { plans, looked: { query } as unknown as Pool };
}

/** So many received files of contacts that an index is worth its while. */
export async function addKept(pool: Pool, table: string): Promise<void> {
  await pool.query(
    `insert into ${table} (id, partner, status, object, key, charged, received_at, contact_id)
      select 'kept_' || n, 'nobody', 'ready', '', '', 0, now() - interval '8 days', 'cnt' from generate_series(1, 3000) n`,
  );
  await pool.query(`analyze ${table}`);
}
