import { type AuditEntry, unknownActor } from "@heliograph/api";

/** An entry, and for how many calls of the same kind it stands. */
export type CountedEntry = AuditEntry & { readonly count: number };

export const windowMs = 60_000;
/** Of one caller, action and code these stand by themselves in a minute, each with its request id and target; more are counted. */
const singlyPerGroup = 5;
/** Of all callers whom nobody knows, so many stand by themselves in a minute, and so many are counted each by itself: a flood from many addresses leaves no row for each. */
const singlyUnknown = 50;
const maxUnknownGroups = 50;
/** Of one partner, so that one that has many keys and addresses refused leaves room for the others; more of it are counted together, by code. */
const maxPartnerGroups = 100;
/** Some 0.5 MB. Callers beyond that are counted together, by code. */
const maxGroups = 1_000;
/** In the place of what differs within one count. */
const several = "several";

type Group = {
  minute: number;
  singly: number;
  count: number;
  last: AuditEntry;
  /** The partner whose share it takes of, empty where nobody is known; undefined for what is counted together. */
  readonly share: string | undefined;
};

/**
 * Says of refused calls which stand by themselves and which are counted: a flood of wrong keys is some rows a minute, however many keys and addresses it has. Bounded, in memory.
 */
export class Refusals {
  readonly #groups = new Map<string, Group>();
  #unknown = { minute: -1, singly: 0 };
  readonly #shares = new Map<string, number>();

  /** What is to be written now: the entry itself, and what was counted up to the minute before. */
  take(entry: AuditEntry): readonly CountedEntry[] {
    const minute = Math.floor(entry.at / windowMs);
    const ended: CountedEntry[] = [];
    let [name, last] = [nameOf(entry), entry];
    const overflow = this.#groups.has(name) ? undefined : this.#overflowOf(entry);
    if (overflow !== undefined) [name, last] = [nameOf(overflow), overflow];
    let group = this.#groups.get(name);
    if (group === undefined || group.minute !== minute) {
      ended.push(...counted(group));
      const share = overflow === undefined ? entry.partner : undefined;
      if (group === undefined) this.#count(share, 1);
      this.#groups.set(name, (group = { minute, singly: 0, count: 0, last, share }));
    }
    if (last === entry && group.singly < singlyPerGroup && this.#roomFor(entry, minute)) {
      group.singly++;
      return [...ended, { ...entry, count: 1 }];
    }
    group.last = last;
    group.count++;
    return ended;
  }

  /** What was counted in minutes that are over by then, and no longer is. */
  ended(nowMs: number): readonly CountedEntry[] {
    const minute = Math.floor(nowMs / windowMs);
    const ended: CountedEntry[] = [];
    for (const [name, group] of this.#groups) {
      if (group.minute >= minute) continue;
      ended.push(...counted(group));
      this.#groups.delete(name);
      this.#count(group.share, -1);
    }
    return ended;
  }

  /** As what an entry is counted where there is no room for a group of its own. */
  #overflowOf(entry: AuditEntry): AuditEntry | undefined {
    if (this.#groups.size >= maxGroups) return together(entry, "");
    const { partner } = entry;
    const most = partner === "" ? maxUnknownGroups : maxPartnerGroups;
    return (this.#shares.get(partner) ?? 0) >= most ? together(entry, partner) : undefined;
  }

  #count(share: string | undefined, by: 1 | -1): void {
    if (share === undefined) return;
    const groups = (this.#shares.get(share) ?? 0) + by;
    if (groups === 0) this.#shares.delete(share);
    else this.#shares.set(share, groups);
  }

  #roomFor({ actor }: AuditEntry, minute: number): boolean {
    if (actor !== unknownActor) return true;
    if (this.#unknown.minute !== minute) this.#unknown = { minute, singly: 0 };
    return this.#unknown.singly++ < singlyUnknown;
  }
}

/** Neither the key's prefix nor the target: a caller can make up any number of both. */
const nameOf = ({ environment, partner, actor, action, ip, outcome, code }: AuditEntry): string =>
  [environment, partner, actor, action, ip, outcome, code].join(" ");

const together = ({ keyPrefix: _, ...entry }: AuditEntry, partner: string): AuditEntry => ({
  ...entry,
  partner,
  actor: several,
  action: several,
  target: "",
  ip: several,
});

const counted = (group: Group | undefined): readonly CountedEntry[] =>
  group === undefined || group.count === 0 ? [] : [{ ...group.last, count: group.count }];
