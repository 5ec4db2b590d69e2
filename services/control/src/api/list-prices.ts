import {
  type Answer,
  type Call,
  ListQuery,
  listBody,
  listOf,
  pageOf,
  queryInt,
  type Route,
  route,
  slicePage,
} from "@heliograph/api";
import { pricesOf } from "@heliograph/domain";
import { z } from "zod";
import type { PriceList } from "../decide-prices.ts";
import { listView, PriceListView } from "./price-view.ts";

/** Each version of a list may have 5,000 entries, which are some 400 kB. */
const mostLists = 10;
/** Shown of those who pay by a list; `partner_count` tells of all. */
const mostPartners = 100;

const Query = ListQuery.extend({
  limit: queryInt(1, mostLists).default(mostLists),
  list: z.string().max(64).optional().meta({ description: "Only this one." }),
});
const Published = z
  .object({
    list: z.string(),
    currency: z.string(),
    versions: z
      .array(
        PriceListView.extend({
          in_force: z.boolean().meta({ description: "Whether messages are priced by it now." }),
        }).meta({ id: "PublishedPrices" }),
      )
      .meta({ description: "Those to come, and the one in force; the highest first." }),
    partner_count: z.int().meta({
      description: "Who pays by it: whom it was given, and for `standard` whoever has no other.",
    }),
    partner_ids: z
      .array(z.string())
      .meta({ description: `The first ${mostPartners} of them, oldest first.` }),
  })
  .meta({ id: "PublishedPriceList" });

type Row = { readonly list: string; readonly versions: readonly PriceList[] };
const keyOf = ({ list }: Row): string => list;

function list(call: Call<undefined, z.infer<typeof Query>>): Answer {
  const { directory } = call.context;
  const now = Date.now();
  const page = pageOf(call, "prices");
  const all = directory
    .priceLists()
    .map((versions): Row => ({ list: versions[0]!.list, versions }))
    .filter((row) => call.query.list === undefined || row.list === call.query.list)
    .toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
  const payers = payersOf(call, now);
  const show = ({ list: name, versions }: Row): z.infer<typeof Published> => {
    const inForce = directory.prices(name, now);
    const partners = payers.get(name) ?? [];
    return {
      list: name,
      currency: versions[0]!.currency,
      versions: versions.map((each) => ({ ...listView(each), in_force: each === inForce })),
      partner_count: partners.length,
      partner_ids: partners.slice(0, mostPartners),
    };
  };
  const rows = slicePage(all, page, keyOf);
  return { status: 200, body: listBody(call, "prices", page, rows, keyOf, show) };
}

/** By whose prices each partner's next message is priced. */
function payersOf({ context: { directory } }: Call<undefined, unknown>, now: number) {
  const payers = new Map<string, string[]>();
  for (const partner of directory.partners()) {
    const name = pricesOf(directory, partner, now)?.list;
    if (name === undefined) continue;
    const others = payers.get(name);
    if (others === undefined) payers.set(name, [partner.partner_id]);
    else others.push(partner.partner_id);
  }
  return payers;
}

export const listPriceRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/admin/prices",
    scope: "admin",
    summary: "The price lists, their versions in force and to come, and who pays by them",
    query: Query,
    response: listOf(Published, "PublishedPriceLists"),
    errors: ["invalid_request"],
    handler: list,
  }),
];
