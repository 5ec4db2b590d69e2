import { type Answer, type Call, sendStream, writeCell } from "@heliograph/api";
import { stringify } from "csv-stringify/sync";
import { z } from "zod";
import { exportedColumns } from "../imports/columns.ts";
import { formats } from "../imports/rows.ts";
import { type ContactRow, type ListedId, listContacts } from "../tables/contacts.ts";
import { rowView } from "./list.ts";

/** Read at once; the client's connection decides when the next ones are. */
const pageRows = 500;

export const ExportQuery = z.strictObject({
  format: z.enum(formats).optional().meta({ description: "That of the file; csv." }),
});

const csvOptions = { record_delimiter: "windows", quoted_match: /^\s|\s$/ } as const;

/** All contacts of the partner, oldest first. */
export async function exported(
  call: Call<undefined, z.infer<typeof ExportQuery>>,
): Promise<Answer> {
  const format = call.query.format ?? "csv";
  const write = (rows: readonly ContactRow[]): string =>
    format === "csv"
      ? stringify(rows.map(cells), csvOptions)
      : rows.map((row) => `${JSON.stringify(rowView(row))}\n`).join("");
  async function* texts(): AsyncGenerator<string> {
    if (format === "csv") yield stringify([[...exportedColumns]], { ...csvOptions, bom: true });
    for (let after = "0"; ;) {
      const page = await listContacts(call.deps.projectionPool, {
        partner: call.partner.partner_id,
        limit: pageRows,
        after,
        terms: [],
        words: [],
        attributes: [],
      });
      if (page.length === 0) return;
      yield write(page.toReversed());
      after = page[0]!.position;
    }
  }
  return sendStream(call, format, "contacts", texts());
}

/** The first address of each channel has a column of its own; the rest of the external ids stand together. */
function cells(row: ContactRow): readonly string[] {
  const channels = ["sms", "whatsapp", "email", "telegram"] as const;
  const first = new Map<string, ListedId>();
  for (const id of row.external_ids) if (!first.has(id.source)) first.set(id.source, id);
  const others = row.external_ids
    .filter(
      (id) => !(channels as readonly string[]).includes(id.source) || first.get(id.source) !== id,
    )
    .map(({ source, id }) => ({ source, id }));
  const json = (value: object): string =>
    Object.keys(value).length === 0 ? "" : writeCell(JSON.stringify(value));
  const text = (value: string | null | undefined): string => writeCell(value ?? "");
  const address = (channel: string): string => text(first.get(channel)?.id);
  return [
    text(row.name),
    ...channels.map(address),
    json(others),
    text(row.language),
    text(row.time_zone),
    json(row.attributes),
    json(row.tags),
    text(row.client_ref),
  ];
}
