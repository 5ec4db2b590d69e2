import { randomBytes, randomUUID } from "node:crypto";
import type pg from "pg";
import { gathered } from "./gathered.ts";
import { keysById, liveKeys, type KeyRow, type NewKey, type Subject } from "./tables/keys.ts";
import { packId, tokenKey, unpackId, type TokenKey } from "./token.ts";
import type { Wrapping } from "./wrap.ts";

/**
 * How long another process may still use a key that was destroyed: a key is asked for again after this, counted from before it was asked for. So when this has passed since it was
 * destroyed no process has it.
 */
export const rememberedMs = 1_000;
/** Some 300 bytes a key. */
const maxRemembered = 5_000;

export type Known = {
  readonly partner: string;
  /** undefined: destroyed. */
  readonly key: TokenKey | undefined;
  readonly until: number;
};

/** The keys that are in use at the moment, and the way to the others. */
export class Keyring {
  readonly #wrapping: Wrapping;
  readonly #askLive: (subjects: readonly Subject[]) => Promise<ReadonlyMap<string, Known>>;
  readonly #askById: (ids: readonly string[]) => Promise<ReadonlyMap<string, Known>>;
  /** By packed id. */
  readonly #byId = new Map<string, Known>();
  readonly #bySubject = new Map<string, Known>();

  constructor(pool: pg.Pool, wrapping: Wrapping) {
    this.#wrapping = wrapping;
    this.#askLive = gathered(placeOf, async (subjects) => {
      const until = performance.now() + rememberedMs;
      const rows = await liveKeys(
        pool,
        subjects.map((subject) => this.#newKey(subject)),
      );
      return new Map(rows.map((row) => [placeOf(row), this.#remember(row, until).known]));
    });
    this.#askById = gathered(
      (id) => id,
      async (ids) => {
        const until = performance.now() + rememberedMs;
        const rows = await keysById(pool, ids.map(unpackId));
        return new Map(
          rows.map((row) => {
            const { packed, known } = this.#remember(row, until);
            return [packed, known];
          }),
        );
      },
    );
  }

  /** The live key of a subject that is in use at the moment. */
  remembered(subject: Subject): Known | undefined {
    return fresh(this.#bySubject.get(placeOf(subject)));
  }

  /** The live keys of subjects, in order; made, and durable, where there was none. undefined for a contact that was erased: it has none for ever. */
  async live(subjects: readonly Subject[]): Promise<readonly (Known | undefined)[]> {
    const found = new Map<string, Known>();
    const missing = new Map<string, Subject>();
    for (const each of subjects) {
      const place = placeOf(each);
      const known = this.remembered(each);
      if (known === undefined) missing.set(place, each);
      else found.set(place, known);
    }
    if (missing.size > 0) {
      const live = await this.#askLive([...missing.values()]);
      for (const place of missing.keys()) {
        const known = live.get(place);
        if (known === undefined) continue;
        if (this.#bySubject.size >= maxRemembered) this.#bySubject.clear();
        this.#bySubject.set(place, known);
        found.set(place, known);
      }
    }
    return subjects.map((each) => found.get(placeOf(each)));
  }

  /** The keys of these packed ids; one that was never here is missing. */
  async byId(ids: ReadonlySet<string>): Promise<ReadonlyMap<string, Known>> {
    const found = new Map<string, Known>();
    const missing: string[] = [];
    for (const id of ids) {
      const known = fresh(this.#byId.get(id));
      if (known === undefined) missing.push(id);
      else found.set(id, known);
    }
    if (missing.length > 0) {
      const known = await this.#askById(missing);
      for (const id of missing) if (known.has(id)) found.set(id, known.get(id)!);
    }
    return found;
  }

  /** One key is its subject's of this partner no more. */
  forgetOne(id: string, subject: Subject): void {
    this.#byId.delete(packId(id));
    this.#bySubject.delete(placeOf(subject));
  }

  forget(): void {
    this.#byId.clear();
    this.#bySubject.clear();
  }

  #newKey({ partner, subject, owners = [] }: Subject): NewKey {
    const id = randomUUID();
    return { id, partner, subject, owners, wrapped: this.#wrapping.wrap(id, randomBytes(32)) };
  }

  #remember({ id, partner, wrapped }: KeyRow, until: number) {
    const packed = packId(id);
    const key = wrapped === null ? undefined : tokenKey(packed, this.#wrapping.unwrap(id, wrapped));
    const known: Known = { key, partner, until };
    if (this.#byId.size >= maxRemembered) this.#byId.clear();
    this.#byId.set(packed, known);
    return { packed, known };
  }
}

const fresh = (known: Known | undefined): Known | undefined =>
  known !== undefined && known.until > performance.now() ? known : undefined;

const placeOf = ({ partner, subject }: Pick<Subject, "partner" | "subject">): string =>
  `${partner} ${subject}`;
