import { contactsSchema } from "../../services/contacts/src/projector.ts";
import { limitTables, type WritePart } from "@heliograph/runtime";
import { Tables as ContactTables } from "../../services/contacts/test/sim-tables.ts";
import { Tables as BroadcastTables } from "../../services/ingress/test/sim-tables.ts";
import { Tables as UsageTables } from "../../services/usage/test/sim-tables.ts";
import { Kept, type Query, type Rows } from "./kept.ts";

/** Of usage. */
export class UsageKept extends Kept {
  readonly tables = new UsageTables();

  protected override apply(parts: readonly WritePart[]): void {
    this.tables.apply(parts);
  }
  override query(query: Query): Promise<Rows> {
    return this.tables.query(query);
  }
}

/** Of the lists of contacts. */
export class ContactsKept extends Kept {
  readonly tables = new ContactTables();

  protected override apply(parts: readonly WritePart[]): void {
    this.tables.apply(parts);
  }
  override query(query: Query): Promise<Rows> {
    return this.tables.query(query);
  }
}

/** Of broadcasts, with what they read of contacts. */
export class BroadcastsKept extends Kept {
  readonly tables = new BroadcastTables();
  readonly #contacts: ContactsKept;

  constructor(contacts: ContactsKept) {
    super();
    this.#contacts = contacts;
  }
  protected override apply(parts: readonly WritePart[]): void {
    this.tables.apply(parts);
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
