import {
  currentVersion,
  newId,
  streamOf,
  uuid7,
  type EventData,
  type EventType,
} from "@heliograph/contracts";
import type { NewEvent } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";

export type Person = {
  readonly id?: string;
  readonly name?: string | null;
  readonly ids?: readonly (readonly [source: string, id: string])[];
  readonly tags?: readonly string[];
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
  readonly language?: string;
};

const now = (): string => new Date().toISOString();

/** Writes contacts' events as the service does, for tests of what is made of them. */
export function people(context: Pick<ServiceContext, "log" | "vault">, partner: string) {
  const append = async (id: string, type: EventType, data: object): Promise<bigint> => {
    const event = {
      id: uuid7(),
      type,
      version: currentVersion(type),
      data,
      metadata: { partner },
    } as NewEvent;
    const stream = streamOf("contact", id);
    const [outcome] = await context.log.append([{ stream, expected: "any", events: [event] }]);
    if (outcome?.kind !== "appended") throw new Error(JSON.stringify(outcome));
    return outcome.position;
  };
  const sealOf = (id: string) => context.vault.seal({ partner, subject: id });
  const profileOf = (person: Person): string =>
    JSON.stringify({
      language: person.language ?? null,
      time_zone: null,
      client_ref: null,
      attributes: Object.fromEntries(
        Object.entries(person.attributes ?? {}).map(([key, value]) => [
          key,
          { type: "text", value },
        ]),
      ),
      tags: person.tags ?? [],
    });
  const nameOf = (source: string, id: string): string =>
    context.vault.name("external-id", partner, source, id);
  const created = async (person: Person): Promise<EventData<"ContactCreated">> => {
    const id = person.id ?? newId("cnt");
    const seal = await sealOf(id);
    return {
      contact_id: id,
      external_ids: (person.ids ?? []).map(([source, text]) => ({
        source,
        id: seal(text),
        name: nameOf(source, text),
      })),
      name: typeof person.name !== "string" ? null : seal(person.name),
      profile: seal(profileOf(person)),
      made_by: "api",
      created_at: now(),
    };
  };
  return {
    append,
    nameOf,
    async create(person: Person): Promise<string> {
      const data = await created(person);
      await append(data.contact_id, "ContactCreated", data);
      return data.contact_id;
    },
    async createAll(persons: readonly Person[]): Promise<bigint> {
      const all = await Promise.all(persons.map(created));
      const outcomes = await context.log.append(
        all.map((data) => ({
          stream: streamOf("contact", data.contact_id),
          expected: "no_stream" as const,
          events: [
            {
              id: uuid7(),
              type: "ContactCreated",
              version: currentVersion("ContactCreated"),
              data,
              metadata: { partner },
            },
          ],
        })),
      );
      const last = outcomes.at(-1);
      if (last?.kind !== "appended") throw new Error(JSON.stringify(last));
      return last.position;
    },
    async update(id: string, person: Person): Promise<bigint> {
      const seal = await sealOf(id);
      return append(id, "ContactUpdated", {
        contact_id: id,
        ...(person.name !== undefined && { name: person.name === null ? null : seal(person.name) }),
        profile: seal(profileOf(person)),
        changed: ["profile"],
        updated_at: now(),
      } satisfies EventData<"ContactUpdated">);
    },
    async addId(id: string, source: string, text: string): Promise<bigint> {
      const seal = await sealOf(id);
      return append(id, "ContactExternalIdAdded", {
        contact_id: id,
        external_id: { source, id: seal(text), name: nameOf(source, text) },
        added_at: now(),
      } satisfies EventData<"ContactExternalIdAdded">);
    },
    removeId: (id: string, source: string, text: string): Promise<bigint> =>
      append(id, "ContactExternalIdRemoved", {
        contact_id: id,
        source,
        name: nameOf(source, text),
        claim_revision: 0,
        removed_at: now(),
      } satisfies EventData<"ContactExternalIdRemoved">),
    merge: (id: string, into: string): Promise<bigint> =>
      append(id, "ContactMerged", {
        merge_id: newId("mrg"),
        contact_id: id,
        into,
        merged_at: now(),
      } satisfies EventData<"ContactMerged">),
    unmerge: (id: string): Promise<bigint> =>
      append(id, "ContactUnmerged", {
        merge_id: newId("mrg"),
        contact_id: id,
        lost: [],
        unmerged_at: now(),
      } satisfies EventData<"ContactUnmerged">),
    async erase(id: string, others: readonly string[] = []): Promise<bigint> {
      const erasure_id = newId("ers");
      await append(id, "ContactErasureRequested", {
        contact_id: id,
        erasure_id,
        requested_at: now(),
      } satisfies EventData<"ContactErasureRequested">);
      await context.vault.destroy(partner, [id, ...others]);
      return append(id, "ContactErased", {
        contact_id: id,
        erasure_id,
        with: [...others],
        keys_destroyed: 1,
        key_destroyed_at: now(),
        certificate: "{}",
        signature: "",
      } satisfies EventData<"ContactErased">);
    },
  };
}
