import { streamOf } from "@heliograph/contracts";
import { boundedCache } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";

/** After one of these a contact may have another language. */
export const profileTypes = [
  "ContactCreated",
  "ContactUpdated",
  "ContactAbsorbed",
  "ContactReleased",
] as const;

/** Contacts that wait at once; an entry is some 100 bytes. */
const maxKnown = 50_000;

export type Languages = {
  forget(contact: string): void;
  /** Reads what is not known of these contacts yet. */
  load(contacts: readonly string[]): Promise<void>;
  /** The language of a contact that was loaded; undefined where none is known. */
  of(contact: string): string | undefined;
};

/** Which language a contact has, from its own stream: it is sealed there, and kept in memory only. */
export function openLanguages({ log, vault }: Pick<ServiceContext, "log" | "vault">): Languages {
  const known = boundedCache<string, { readonly language: string | undefined }>(maxKnown);

  async function read(contact: string): Promise<string | undefined> {
    let newest:
      | RecordedEvent<"ContactCreated" | "ContactUpdated" | "ContactAbsorbed" | "ContactReleased">
      | undefined;
    for await (const event of log.scanStream(streamOf("contact", contact)))
      if ("profile" in event.data && event.data.profile !== undefined)
        newest = event as NonNullable<typeof newest>;
    if (newest === undefined) return undefined;
    const open = await vault.open(newest.metadata.partner, newest.data.profile);
    try {
      const { language } = JSON.parse(open(newest.data.profile!)) as { language?: unknown };
      return typeof language === "string" ? language : undefined;
    } catch {
      // Erased: nothing is known any more.
      return undefined;
    }
  }

  return {
    forget: (contact) => known.delete(contact),
    of: (contact) => known.get(contact)?.language,
    async load(contacts) {
      for (const contact of new Set(contacts))
        if (known.get(contact) === undefined) known.set(contact, { language: await read(contact) });
    },
  };
}
