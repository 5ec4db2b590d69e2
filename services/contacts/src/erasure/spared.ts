import { streamOf } from "@heliograph/contracts";
import { holdersOf } from "@heliograph/domain";
import type { EventLog } from "@heliograph/log";
import { maxSharers, type OwnedKey } from "@heliograph/vault";
import { claimKey } from "../claims.ts";
import type { Erased } from "./collect.ts";

/** So many streams are read at once. */
const maxReads = 32;

/** A contact that had an id, and when that ended, as epoch milliseconds. It began where the one before ended: who writes first is found by what was written before. */
type Period = { readonly owner: string; readonly until: number };

/**
 * Of the keys that go with external ids those that stay, since an id that these contacts had was or is somebody else's too. What was received goes with the contact that it was
 * matched to; what was not matched, and the keys of addresses, with whoever had the id when it was made. A claim that moves an id retires the keys of its address before, so none is
 * of two owners' time. A file goes with the last of those whom it was sent to, and one that many got is nobody's own.
 */
export async function sparedKeys(
  log: Pick<EventLog, "readStream" | "readStreams" | "scanStream">,
  { contacts, ids, lent }: Erased,
  owned: readonly OwnedKey[],
): Promise<readonly string[]> {
  const periods = new Map<string, readonly Period[]>();
  for (const name of new Set([...ids.keys(), ...lent]))
    periods.set(name, await periodsOf(log, name));
  const theirs = (owner: string, at: number): boolean =>
    contacts.includes(owner) ||
    contacts.includes(periods.get(owner)?.find(({ until }) => at <= until)?.owner ?? "");
  const areErased = async (owners: readonly string[]): Promise<boolean> => {
    const others = owners.filter((owner) => !contacts.includes(owner));
    const holders = await holdersOf(log, others);
    return others.every((owner) => holders.get(owner)!.erased);
  };
  const goes = async ({ subject, owners, created_at }: OwnedKey): Promise<boolean> => {
    if (subject.startsWith("att_")) return owners.length <= maxSharers && areErased(owners);
    const matched = subject.startsWith("inb_") ? await matchedTo(log, subject) : undefined;
    return matched === undefined
      ? owners.some((owner) => theirs(owner, created_at.getTime()))
      : contacts.includes(matched);
  };
  const spared: string[] = [];
  for (let from = 0; from < owned.length; from += maxReads) {
    const some = owned.slice(from, from + maxReads);
    const going = await Promise.all(some.map(goes));
    spared.push(...some.filter((_, index) => !going[index]).map(({ id }) => id));
  }
  return spared;
}

async function periodsOf(
  log: Pick<EventLog, "scanStream">,
  name: string,
): Promise<readonly Period[]> {
  const periods: Period[] = [];
  let owner: string | undefined;
  const end = (until: number): void => {
    if (owner !== undefined) periods.push({ owner, until });
  };
  for await (const { type, data, recordedAt } of log.scanStream(
    streamOf("external", claimKey(name)),
  )) {
    end(new Date(recordedAt).getTime());
    owner = type === "ExternalIdClaimed" ? data.contact_id : undefined;
  }
  end(Infinity);
  return periods;
}

async function matchedTo(
  log: Pick<EventLog, "readStream">,
  inboundId: string,
): Promise<string | undefined> {
  for (const { type, data } of await log.readStream(streamOf("inbound", inboundId)))
    if (type === "InboundMatched") return data.contact_id;
  return undefined;
}
