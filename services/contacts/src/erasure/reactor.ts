import { failpoint, streamOf, uuid5, type EventData, accountOf } from "@heliograph/contracts";
import type { Batch, RecordedEvent } from "@heliograph/log";
import { pause, reactor, type ServiceContext } from "@heliograph/runtime";
import { rememberedMs } from "@heliograph/vault";
import { readClaim, release } from "../claims.ts";
import { following } from "../reacting.ts";
import { signCertificate } from "./certificate.ts";
import { collectErased, type Erased } from "./collect.ts";
import { sparedKeys } from "./spared.ts";

type Tools = Pick<ServiceContext, "log" | "vault" | "environment" | "masterKey">;

/**
 * Erases the contacts that somebody asked to forget: destroys their keys, frees their external ids and tells of it with a certificate. Killed anywhere it does the
 * same again: what is destroyed stays so, a free id is not freed twice, and the last event has one id.
 */
export const erasureReactor = reactor({
  kind: "reactor",
  name: "contact-erasure",
  schema: "contact_erasure",
  types: ["ContactErasureRequested"],
  migrations: [],
  start: ({ context, checkpoint, stopping }) => ({
    async handle(batch: Batch<"ContactErasureRequested">) {
      let gone = await destroyAll(context, batch.events);
      // What is told is true of every process: until then another one may remember a key. Who was matching a message when the keys went may have told of it since, and what it came as goes too.
      for (let before = -1; gone.length > 0 && before !== keysOf(gone);) {
        before = keysOf(gone);
        await pause(rememberedMs, stopping);
        // The next owner destroys again, which changes nothing, and waits for itself.
        if (stopping.aborted) return;
        gone = await destroyAll(context, batch.events);
      }
      for (const each of gone) await conclude(context, each);
      await checkpoint.commit(batch.position);
    },
    stop: async () => undefined,
  }),
});

/** An erasure whose keys are destroyed. */
type Gone = {
  readonly event: RecordedEvent<"ContactErasureRequested">;
  readonly erased: Erased;
  readonly keys: Awaited<ReturnType<Tools["vault"]["destroy"]>>;
};

async function destroyAll(
  tools: Tools,
  events: readonly RecordedEvent<"ContactErasureRequested">[],
): Promise<readonly Gone[]> {
  const gone: Gone[] = [];
  for (const event of events) gone.push(await destroy(tools, event));
  return gone;
}

const keysOf = (gone: readonly Gone[]): number =>
  gone.reduce((sum, { keys }) => sum + keys.length, 0);

async function destroy(
  { log, vault }: Tools,
  event: RecordedEvent<"ContactErasureRequested">,
): Promise<Gone> {
  const partner = event.metadata.partner ?? "";
  const erased = await collectErased(log, event.data.contact_id);
  await failpoint("erasure.before_destroy");
  const names = [...erased.contacts, ...erased.ids.keys(), ...erased.lent];
  const spared = await sparedKeys(log, erased, await vault.owned(partner, names));
  // A message that comes from the address after that is for a new contact.
  const ownedUntil = new Date(event.recordedAt);
  const keys = await vault.destroy(partner, names, { ownedUntil, spared });
  await failpoint("erasure.after_destroy");
  return { event, erased, keys };
}

async function conclude(tools: Tools, { event, erased, keys }: Gone): Promise<void> {
  const { contact_id, erasure_id, requested_at } = event.data;
  const partner = event.metadata.partner ?? "";
  await freeIds(tools, partner, erased);
  await failpoint("erasure.after_release");
  const key_destroyed_at = new Date(
    Math.max(...keys.map(({ destroyedAt }) => destroyedAt.getTime())),
  ).toISOString();
  const { certificate, signature } = signCertificate(tools.masterKey, {
    contact_id,
    contacts: erased.contacts,
    environment: tools.environment,
    erasure_id,
    key_destroyed_at,
    keys_destroyed: keys.length,
    partner_id: accountOf(partner),
    requested_at,
  });
  await tell(tools.log, event, {
    contact_id,
    erasure_id,
    with: erased.contacts.slice(1),
    keys_destroyed: keys.length,
    key_destroyed_at,
    certificate,
    signature,
  });
  await failpoint("erasure.after_append");
}

/** Frees what these contacts hold now. An id that went to somebody else since stays theirs. */
async function freeIds({ log }: Tools, partner: string, { contacts, ids }: Erased): Promise<void> {
  const metadata = () => ({ actor: "system:erasure" });
  for (const [name, source] of ids)
    // A writer that has not seen the erasure yet may claim it anew for the same contact.
    for (;;) {
      const { owner, revision } = await readClaim(log, { name });
      if (owner === undefined || !contacts.includes(owner)) break;
      const freed = { name, source, contact_id: owner, revision, reason: "erased" } as const;
      await release({ log, partner, metadata }, freed);
    }
}

/** The contact's last event. A writer that was before it, such as a merge that ended, is let pass; one that was there already is our own. */
async function tell(
  log: Tools["log"],
  cause: RecordedEvent<"ContactErasureRequested">,
  data: EventData<"ContactErased">,
): Promise<void> {
  const stream = streamOf("contact", data.contact_id);
  const id = uuid5(data.erasure_id, "ContactErased");
  for (;;) {
    const [last] = await log.readStream(stream, { backwards: true, limit: 1 });
    if (last!.type === "ContactErased") return;
    const metadata = {
      ...following(cause, cause.metadata.partner ?? "", "system:erasure"),
      correlation: data.contact_id,
    };
    const event = { id, type: "ContactErased", data, metadata };
    const [outcome] = await log.append([{ stream, expected: last!.revision, events: [event] }]);
    if (outcome!.kind === "invalid") throw new Error(`${stream}: ${outcome!.message}`);
    if (outcome!.kind !== "conflict") return;
  }
}
