import { contactsSchema } from "../../services/contacts/src/projector.ts";
import { limitTables, type WritePart } from "@heliograph/runtime";
import { Tables as ContactTables } from "../../services/contacts/test/sim-tables.ts";
import { Tables as BroadcastTables } from "../../services/ingress/test/sim-tables.ts";
import { Tables as UsageTables } from "../../services/usage/test/sim-tables.ts";
import { Kept, type Query, type Rows } from "./kept.ts";

type ModelTables = {
  apply(parts: readonly WritePart[]): void;
  query(query: Query): Promise<Rows>;
};

/** What is kept in tables of its own. */
class KeptTables<Tables extends ModelTables> extends Kept {
  readonly tables: Tables;

  constructor(tables: Tables) {
    super();
    this.tables = tables;
  }
  protected override apply(parts: readonly WritePart[]): void {
    this.tables.apply(parts);
  }
  override query(query: Query): Promise<Rows> {
    return this.tables.query(query);
  }
}

export type UsageKept = KeptTables<UsageTables>;
export const usageKept = (): UsageKept => new KeptTables(new UsageTables());

/** Of the lists of contacts. */
export type ContactsKept = KeptTables<ContactTables>;
export const contactsKept = (): ContactsKept => new KeptTables(new ContactTables());

/** Of broadcasts, with what they read of contacts. */
export class BroadcastsKept extends KeptTables<BroadcastTables> {
  readonly #contacts: ContactsKept;

  constructor(contacts: ContactsKept) {
    super(new BroadcastTables());
    this.#contacts = contacts;
  }
  override async query(query: Query): Promise<Rows> {
    const { name = "", text } = query;
    const contacts = this.#contacts;
    if (name === `checkpoint.${contactsSchema}`)
      return { rows: [{ position: String(contacts.position) }] };
    if (name.startsWith("contacts_") || text.includes("contacts.contacts"))
      return contacts.query(query);
    if (name.startsWith("broadcasts.") || text.includes("broadcasts.broadcasts"))
      return this.tables.query(query);
    // The tables of limits are there, and nobody has one.
    return { rows: [{ done: limitTables.migrations.length }] };
  }
}
