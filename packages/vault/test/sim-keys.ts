import type pg from "pg";
import { loosely } from "@heliograph/testkit";

type Key = {
  readonly id: string;
  partner: string;
  subject: string;
  owners: readonly string[];
  wrapped: Buffer | null;
  /** Finer than the clock, as PostgreSQL's is: no two are of one time. */
  readonly createdAt: number;
  destroyedAt: number | undefined;
  /** The same by the clock that nobody sets. */
  endedAt?: number;
};
type Query = { readonly text: string; readonly name?: string; readonly values?: unknown[] };
type Answer = { readonly rows: readonly object[]; readonly rowCount: number };

const answer = (rows: readonly object[]): Answer => ({ rows, rowCount: rows.length });
const isContact = (subject: string): boolean => subject.startsWith("cnt_");
const listOf = (owners: string): readonly string[] => (owners === "" ? [] : owners.split(" "));
const merged = (one: readonly string[], other: readonly string[]): readonly string[] => [
  ...new Set([...one, ...other]),
];
const meet = (one: readonly string[], other: readonly string[]): boolean =>
  one.some((each) => other.includes(each));
const holds = (all: readonly string[], some: readonly string[]): boolean =>
  some.every((each) => all.includes(each));

/** The table of keys in memory, as the vault's statements change it. */
export class Keys {
  #naming: Buffer | undefined;
  readonly #keys = new Map<string, Key>();

  /** `naming`: the key of names as it is stored, where they have to be the same each time. */
  constructor(naming?: Buffer) {
    this.#naming = naming;
  }

  /** In the order in which they were made. */
  get ids(): readonly string[] {
    return [...this.#keys.keys()];
  }
  /** By `performance.now()`; undefined of one that is there still. */
  endOf(id: string): number | undefined {
    return this.#keys.get(id)?.endedAt;
  }
  /** What the vault asks its database through. */
  get pool(): pg.Pool {
    return loosely({
      query: async (given: string | Query, values: unknown[] = []) =>
        this.query(typeof given === "string" ? { text: given, values } : given),
    });
  }

  query({ name, text, values = [] }: Query): Answer {
    const [first, second, third, fourth, fifth] = loosely(values);
    switch (name) {
      case "vault.live":
        return answer(this.#live(first, second));
      case "vault.add":
        return answer(this.#add(first, second, third, fourth, fifth));
      case "vault.by_id":
        return answer(first.flatMap((id: string) => this.#keys.get(id) ?? []));
      case "vault.living_ids":
        return answer(
          this.#of(first).filter(
            ({ subject, owners }) =>
              second.includes(subject) ||
              (meet(owners, third) && second.includes(subject.split("~")[0])),
          ),
        );
      case "vault.adopt":
        return answer(this.#adopt(first, second, third));
      case "vault.share":
        for (const key of this.#of(first))
          if (key.subject === second && key.owners.length <= fourth)
            key.owners = merged(key.owners, third);
        return answer([]);
      default:
        return this.#plain(text, [first, second, third, fourth]);
    }
  }
  /** Statements without a name. */
  #plain(text: string, values: readonly unknown[]): Answer {
    const [first, second, third, fourth] = loosely(values);
    if (text.startsWith("insert into vault.naming")) this.#naming ??= first;
    else if (text.startsWith("select wrapped from vault.naming"))
      return answer([{ wrapped: this.#naming }]);
    else if (text.includes("set subject = subject || '~' || id")) this.#retire(first, second);
    else if (text.startsWith("select id, subject, owners")) return this.#owned(first, second);
    else if (text.startsWith("insert into vault.keys")) this.#bury(first, second);
    else if (text.includes("not id = any($4::uuid[])")) this.#destroy(first, second, third, fourth);
    else if (text.startsWith("select id, destroyed_at"))
      return answer(
        this.#all(first)
          .filter(
            ({ id, subject, owners, destroyedAt }) =>
              destroyedAt !== undefined &&
              !third.includes(id) &&
              (second.includes(subject) || meet(owners, second)),
          )
          .map(({ id, destroyedAt }) => ({ id, destroyed_at: new Date(destroyedAt!) })),
      );
    else if (text.includes("not starts_with(subject, $2)")) {
      const some = this.#of(first).filter(({ subject }) => !subject.startsWith(second));
      for (const key of some) this.#end(key);
      return answer(some);
    } else throw new Error(text);
    return answer([]);
  }

  #all(partner: string): readonly Key[] {
    return [...this.#keys.values()].filter((key) => key.partner === partner);
  }
  /** Those that are there still. */
  #of(partner: string): readonly Key[] {
    return this.#all(partner).filter(({ destroyedAt }) => destroyedAt === undefined);
  }
  #make(given: Omit<Key, "createdAt" | "destroyedAt">): Key {
    const createdAt = Date.now() + Math.min(0.999, 0.001 * (1 + (this.#keys.size % 998)));
    const key: Key = { ...given, createdAt, destroyedAt: undefined };
    this.#keys.set(key.id, key);
    return key;
  }
  #end(key: Key): void {
    key.wrapped = null;
    key.destroyedAt = Date.now();
    key.endedAt = performance.now();
  }

  #live(partners: readonly string[], subjects: readonly string[]): readonly Key[] {
    const places = new Set(partners.map((partner, at) => `${partner} ${subjects[at]}`));
    return [...this.#keys.values()].filter(
      ({ partner, subject, destroyedAt }) =>
        destroyedAt === undefined && places.has(`${partner} ${subject}`),
    );
  }
  #add(
    ids: readonly string[],
    partners: readonly string[],
    subjects: readonly string[],
    owners: readonly string[],
    wrapped: readonly Buffer[],
  ): readonly Key[] {
    const isOver = (subject: string, partner: string): boolean =>
      isContact(subject) &&
      this.#all(partner).some((key) => key.subject === subject && key.destroyedAt !== undefined);
    const added: Key[] = [];
    for (const [at, id] of ids.entries()) {
      const [partner, subject] = [partners[at]!, subjects[at]!];
      if (this.#live([partner], [subject]).length > 0 || isOver(subject, partner)) continue;
      const about = { id, partner, subject, owners: listOf(owners[at]!) };
      added.push(this.#make({ ...about, wrapped: wrapped[at]! }));
    }
    return added;
  }
  #adopt(
    subjects: readonly string[],
    partners: readonly string[],
    owners: readonly string[],
  ): readonly object[] {
    const changed: object[] = [];
    for (const [at, subject] of subjects.entries()) {
      const [by, more] = [partners[at]!, listOf(owners[at]!)];
      const living = [...this.#keys.values()].filter(
        (key) => key.subject === subject && key.destroyedAt === undefined,
      );
      const key = living.find(({ partner }) => partner === by) ?? living[0];
      if (key === undefined || (key.partner === by && holds(key.owners, more))) continue;
      const from = key.partner;
      key.owners = from === by ? merged(key.owners, more) : more;
      key.partner = by;
      changed.push({ id: key.id, subject, from, by });
    }
    return changed;
  }
  #retire(partner: string, owner: string): void {
    for (const key of this.#of(partner)) {
      const { subject, owners, id } = key;
      if (owners.includes(owner) && !subject.startsWith("inb_") && !subject.includes("~"))
        key.subject = `${subject}~${id}`;
    }
  }
  #owned(partner: string, names: readonly string[]): Answer {
    const own = this.#all(partner).filter(({ owners }) => meet(owners, names));
    return answer(
      own.map(({ id, subject, owners, createdAt, destroyedAt }) => ({
        id,
        subject,
        owners,
        created_at: new Date(createdAt),
        destroyed: destroyedAt !== undefined,
      })),
    );
  }
  /** A contact without a key has none from here on either. */
  #bury(partner: string, names: readonly string[]): void {
    for (const subject of new Set(names.filter(isContact)))
      if (!this.#all(partner).some((key) => key.subject === subject)) {
        const id = `none-${this.#keys.size}`;
        this.#end(this.#make({ id, partner, subject, owners: [], wrapped: null }));
      }
  }
  #destroy(
    partner: string,
    names: readonly string[],
    ownedUntil: Date | null,
    spared: readonly string[],
  ): void {
    for (const key of this.#of(partner)) {
      const { id, subject, owners, createdAt } = key;
      const isOwned =
        meet(owners, names) && (ownedUntil === null || createdAt <= ownedUntil.getTime());
      if (!spared.includes(id) && (names.includes(subject) || isOwned)) this.#end(key);
    }
  }
}
