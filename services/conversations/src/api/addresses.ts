import { addressSubject, keyPlace } from "@heliograph/acceptance";
import type { Call } from "@heliograph/api";
import { type Channel, channels, streamOf } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import type { AddressRange } from "../tables/sends.ts";

type Address = { readonly source: string; readonly id: string; readonly name: string };
type Addressed = Address & { readonly source: Channel };
const isAddressed = (address: Address): address is Addressed =>
  (channels as readonly string[]).includes(address.source);

/**
 * The addresses that contacts who are one person have or had, each with the positions between which it was theirs, as its claims tell. It is theirs from where the one before lost it, or from
 * the beginning: who answers is found by what was sent to him before.
 */
export async function addressesOf(
  { deps, partner }: Call<unknown, unknown>,
  contacts: readonly string[],
): Promise<readonly AddressRange[]> {
  const { log, vault } = deps;
  const streams = await log.readStreams(contacts.map((id) => streamOf("contact", id)));
  const sealed = [...idsIn([...streams.values()].flat()).values()].filter(isAddressed);
  const claims = await log.readStreams(sealed.map(({ name }) => claimStream(name)));
  // The texts of who was erased stay closed, and no address reads like that.
  const open = await vault.open(partner.partner_id, sealed);
  const ranges = sealed.map(async (address): Promise<readonly AddressRange[]> => {
    const { source: channel, id: to } = open(address);
    const subject = addressSubject(vault, partner.partner_id, channel, to);
    const keys = await vault.keysOf(partner.partner_id, [subject]);
    const periods = periodsOf(claims.get(claimStream(address.name)) ?? [], contacts);
    return [to, ...keys.map(keyPlace)].flatMap((place) =>
      periods.map((period) => ({ channel, place, ...period })),
    );
  });
  return (await Promise.all(ranges)).flat();
}

const claimStream = (name: string): string => streamOf("external", `id-${name}`);

/** Every external id that a contact ever had of its own, by the name of its claim. */
function idsIn(events: readonly RecordedEvent[]): ReadonlyMap<string, Address> {
  const ids = new Map<string, Address>();
  for (const { type, data } of events) {
    if (type === "ContactCreated") for (const id of data.external_ids) ids.set(id.name, id);
    if (type === "ContactExternalIdAdded") ids.set(data.external_id.name, data.external_id);
  }
  return ids;
}

type Period = Pick<AddressRange, "from" | "until">;
const forever = 1n << 62n;

/** When an id was one of these contacts', from its claims. One that was given back was never had. */
export function periodsOf(
  claims: readonly Pick<RecordedEvent, "type" | "data" | "position">[],
  contacts: readonly string[],
): readonly Period[] {
  const periods: Period[] = [];
  let owner: string | undefined;
  let from = 0n;
  const end = (until: bigint): void => {
    if (owner === undefined) return;
    if (contacts.includes(owner)) periods.push({ from, until });
    owner = undefined;
    from = until;
  };
  for (const { type, data, position } of claims as readonly RecordedEvent[]) {
    if (type === "ExternalIdClaimed" && data.contact_id !== owner) {
      end(position);
      owner = data.contact_id;
    } else if (type === "ExternalIdReleased") {
      if (data.reason === "given_back") owner = undefined;
      else end(position);
    }
  }
  end(forever);
  return periods;
}
