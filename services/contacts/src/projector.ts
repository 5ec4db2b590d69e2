import type { Projector, ServiceContext } from "@heliograph/runtime";
import { projector } from "@heliograph/runtime";
import { type Folded, contactsOf, listedTypes, newRow, rootOf, take } from "./fold-rows.ts";
import { searchText, termsOf } from "./search.ts";
import { type Written, contactsDdl, readFamilies, upsertContacts } from "./tables/contacts.ts";

export const contactsSchema = "contacts";

/** Small batches wait this long for company: an import's events come in bursts, and a list is that much behind. */
const lingerMs = 20;

/** Lists of contacts, their search and their export. One contact is read from its stream. */
export const contactsProjector = ({ vault }: Pick<ServiceContext, "vault">): Projector =>
  projector({
    kind: "projector",
    name: "contacts",
    schema: contactsSchema,
    types: listedTypes,
    spaces: { contacts: "partner" },
    ddl: contactsDdl,
    lingerMs,
    create: ({ pool, schema }) => ({
      async project(events) {
        const made = new Set(
          events.flatMap(({ type, data }) => (type === "ContactCreated" ? data.contact_id : [])),
        );
        const known = new Set(events.flatMap(contactsOf).filter((id) => !made.has(id)));
        const [open, families] = await Promise.all([
          // One question for all the keys of the batch, whosever they are.
          vault.open(
            undefined,
            events.map(({ data }) => data),
          ),
          known.size === 0 ? [] : readFamilies(pool, schema, [...known]),
        ]);
        const rows = new Map(families.map((row) => [row.id, row]));
        const touched = new Set<string>();
        for (const event of events) {
          const opened = { ...event, data: open(event.data) } as typeof event;
          if (opened.type === "ContactCreated") {
            const row = newRow(opened.data, event.metadata.partner ?? "", String(event.position));
            rows.set(row.id, row);
          }
          for (const id of contactsOf(opened)) mark(rows, id, touched);
          take(rows, opened);
          for (const id of contactsOf(opened)) mark(rows, id, touched);
        }
        return upsertContacts(written(rows, touched));
      },
    }),
  });

/** Remembers a contact and what it is part of at the moment. */
function mark(rows: ReadonlyMap<string, Folded>, id: string, touched: Set<string>): void {
  const row = rows.get(id);
  if (row === undefined) return;
  touched.add(id);
  touched.add(rootOf(rows, row));
}

/** The rows that changed, and those that are part of them, with what follows from their families. */
function written(
  rows: ReadonlyMap<string, Folded>,
  touched: ReadonlySet<string>,
): readonly Written[] {
  const families = new Map<string, Folded[]>();
  for (const row of rows.values()) {
    const root = rootOf(rows, row);
    const family = families.get(root);
    if (family === undefined) families.set(root, [row]);
    else family.push(row);
  }
  const changed: Written[] = [];
  for (const [root, family] of families) {
    if (!family.some(({ id }) => touched.has(id))) continue;
    for (const row of family) changed.push(withFamily(row, root, family));
  }
  return changed;
}

function withFamily(row: Folded, root: string, family: readonly Folded[]): Written {
  const listed = row.id === root && !row.erased;
  const externalIds = listed
    ? family.flatMap(({ own }) => own.map(({ source, id, added_at }) => ({ source, id, added_at })))
    : [];
  const texts = [row.name ?? "", ...externalIds.map(({ id }) => id)];
  const search = listed ? searchText(texts) : "";
  const { tags, attributes } = row.profile;
  const terms = listed ? termsOf(row.partner).all(search, { externalIds, tags, attributes }) : [];
  return { ...row, root, externalIds, search, terms };
}
