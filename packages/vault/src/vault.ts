import { createHmac, randomBytes } from "node:crypto";
import { uuidToBase32, type Environment } from "@heliograph/contracts";
import type pg from "pg";
import { Keyring, type Known } from "./keyring.ts";
import {
  adoptKeys,
  destroyKeys,
  destroySome,
  livingKeyIds,
  namingKey,
  ownedKeys,
  retireKeys,
  shareKey,
  type Adopted,
  type Left,
  type OwnedKey,
  type Subject,
} from "./tables/keys.ts";
import {
  erasedText,
  mayHoldTokens,
  openText,
  packedIdOf,
  sealText,
  tokenPattern,
  type Sealed,
} from "./token.ts";
import { collectKeys, mapTokens } from "./tokens-in.ts";
import { openWrapping } from "./wrap.ts";

/** Seals texts under one subject's key. */
export type Seal = (text: string) => Sealed;

/** Gives a value back with every token in it opened, however deep; what was erased reads `[erased]`. */
export type Open = <Value>(value: Value) => Value;

/** The keys of personal data of one environment. */
export type Vault = {
  /**
   * A name that tells nothing of its parts to whoever has no naming key: HMAC-SHA256 of them, as 26 base32 characters. The same parts always give the same.
   */
  name(...parts: readonly string[]): string;
  /**
   * The seals of subjects, in order; a subject without a key gets one, which is durable before this resolves. For a contact (`cnt_…`) that was erased a seal
   * gives `[erased]`: what comes late for it is never kept.
   */
  seals(subjects: readonly Subject[]): Promise<readonly Seal[]>;
  /** The seal of one subject. */
  seal(subject: Subject): Promise<Seal>;
  /** The ids of the keys that subjects have, and had before they were retired: `keyIdOf` a token says which one it needs. */
  keysOf(
    partner: string,
    subjects: readonly Pick<Subject, "subject" | "owners">[],
  ): Promise<readonly string[]>;
  /** Loads the keys of all tokens in these values. Tokens of another partner than the given one stay closed. */
  open(partner: string | undefined, ...values: readonly unknown[]): Promise<Open>;
  /** The same for JSON texts whose tokens stand in strings, without parsing them. */
  openJson(partner: string | undefined, texts: readonly string[]): Promise<readonly string[]>;
  /**
   * Gives the keys of records that came before anybody knew whose they are to their partners, and to those whose erasure takes them along: to all whom it is told of, at once or one after the
   * other. A record is one partner's: of one that is named with two the first.
   */
  adopt(records: readonly Adopted[]): Promise<void>;
  /** Gives the key of a subject further owners, up to `maxSharers` and those of the call that passes it. */
  share(partner: string, subject: string, owners: readonly string[]): Promise<void>;
  /**
   * Ends the keys that an owner has for more than one record: what is sealed for their subjects from here on is under new keys, and what was sealed stays readable. For an address that
   * is about to be somebody else's.
   */
  retire(partner: string, owner: string): Promise<void>;
  /** The keys that go with these owners, destroyed ones too. */
  owned(partner: string, owners: readonly string[]): Promise<readonly OwnedKey[]>;
  /**
   * Destroys the keys of subjects and of whatever names them as owners, but for those that are left. Safe to repeat; gives what is destroyed, earlier calls' included. No other
   * process has them any more when `rememberedMs` have passed.
   */
  destroy(
    partner: string,
    names: readonly string[],
    left?: Left,
  ): Promise<readonly { readonly id: string; readonly destroyedAt: Date }[]>;
  /** Destroys some of the keys that a partner has, but for those of subjects whose names begin with `spared`. False when none is left. */
  destroySome(partner: string, spared: string): Promise<boolean>;
};

/** Opens the vault of an environment; its tables are there. Throws when the master key is not the one that wrapped its keys. */
export async function openVault(
  pool: pg.Pool,
  masterKey: Buffer,
  environment: Environment,
): Promise<Vault> {
  const wrapping = openWrapping(masterKey, environment);
  const offered = wrapping.wrap("naming", randomBytes(32));
  const naming = wrapping.unwrap("naming", await namingKey(pool, offered));
  const keyring = new Keyring(pool, wrapping);
  const seals = async (subjects: readonly Subject[]): Promise<readonly Seal[]> =>
    (await keyring.live(subjects)).map(sealOf);
  return {
    name: (...parts) => {
      const digest = createHmac("sha256", naming).update(parts.join("\u001f")).digest("hex");
      return uuidToBase32(uuidOf(digest));
    },
    seals,
    seal: async (subject) =>
      sealOf(keyring.remembered(subject) ?? (await keyring.live([subject]))[0]),
    keysOf: (partner, subjects) => livingKeyIds(pool, partner, subjects),
    async open(partner, ...values) {
      const ids = new Set<string>();
      for (const value of values) collectKeys(value, ids);
      const keys = ids.size === 0 ? new Map<string, Known>() : await keyring.byId(ids);
      return (value) =>
        mapTokens(value, (token) => opened(keys.get(packedIdOf(token)), partner, token));
    },
    async openJson(partner, texts) {
      const ids = new Set<string>();
      for (const text of texts.filter(mayHoldTokens))
        for (const [token] of text.matchAll(tokenPattern)) ids.add(packedIdOf(token));
      if (ids.size === 0) return texts;
      const keys = await keyring.byId(ids);
      const inString = (token: Sealed): string =>
        JSON.stringify(opened(keys.get(packedIdOf(token)), partner, token)).slice(1, -1);
      return texts.map((text) =>
        mayHoldTokens(text) ? text.replaceAll(tokenPattern, inString) : text,
      );
    },
    async adopt(records) {
      if (records.length === 0) return;
      const bySubject = Map.groupBy(records, ({ subject }) => subject);
      const distinct = [...bySubject].map(([subject, about]) => {
        const { partner } = about[0]!;
        const own = about.filter((each) => each.partner === partner);
        return { subject, partner, owners: [...new Set(own.flatMap(({ owners }) => owners))] };
      });
      const changed = await adoptKeys(pool, distinct);
      // The others' keys are theirs still: a storm of reports would have each of them asked for again.
      for (const { id, subject, from } of changed)
        keyring.forgetOne(id, { subject, partner: from });
    },
    share: (partner, subject, owners) => shareKey(pool, partner, subject, owners),
    async retire(partner, owner) {
      await retireKeys(pool, partner, owner);
      keyring.forget();
    },
    owned: (partner, owners) => ownedKeys(pool, partner, owners),
    async destroy(partner, names, left = {}) {
      const destroyed = await destroyKeys(pool, partner, names, left);
      keyring.forget();
      return destroyed;
    },
    async destroySome(partner, spared) {
      const left = await destroySome(pool, partner, spared);
      keyring.forget();
      return left;
    },
  };
}

const sealOf = (known: Known | undefined): Seal => {
  const key = known?.key;
  return key === undefined ? () => erasedText : (text) => sealText(key, text);
};

/** The first 128 bits of a digest in the form of a UUID. */
const uuidOf = (hex: string): string =>
  [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    "-",
  );

/** A token whose key is another partner's, or was never here, stays as it is. */
function opened(known: Known | undefined, partner: string | undefined, token: Sealed): string {
  if (known === undefined || (partner !== undefined && known.partner !== partner)) return token;
  if (known.key === undefined) return erasedText;
  try {
    return openText(known.key, token);
  } catch {
    // A text that only looks like a token, such as one that somebody typed.
    return token;
  }
}
