import {
  keysOf,
  openSecret,
  sealSecret,
  type Environment,
  type MasterKey,
} from "@heliograph/contracts";
import type pg from "pg";
import { resealColumn, type Reseal, type Resealed, type SealedColumn } from "./tables/reseal.ts";
import { openWrapping } from "./wrap.ts";

const column = { column: "wrapped", columnType: "bytea" } as const;
const places: readonly [SealedColumn, SealedColumn] = [
  { table: "vault.naming", key: "sole", keyType: "boolean", ...column },
  { table: "vault.keys", key: "id", keyType: "uuid", ...column },
];

/**
 * Wraps the keys of a vault with the first of the two master keys, where the second wrapped them. The keys themselves stay, so whatever they sealed opens as before, and a key that an erasure
 * destroys meanwhile stays destroyed.
 */
export async function resealVault(
  pool: pg.Pool,
  masterKey: MasterKey,
  environment: Environment,
  how: Parameters<typeof resealColumn>[3],
): Promise<Resealed> {
  const [now, before] = keysOf(masterKey).map((key) => openWrapping(key, environment));
  const opens = (wrapping: typeof now, id: string, wrapped: Buffer): Buffer | undefined => {
    try {
      return wrapping?.unwrap(id, wrapped).export();
    } catch {
      return undefined;
    }
  };
  const reseal: Reseal<Buffer> = (wrapped, key) => {
    // The naming key is the only one of its table.
    const id = key === "true" ? "naming" : key;
    if (opens(now, id, wrapped) !== undefined) return undefined;
    const bytes = opens(before, id, wrapped);
    return bytes === undefined ? "lost" : now!.wrap(id, bytes);
  };
  const [naming, kept] = [
    await resealColumn(pool, places[0], reseal, how),
    await resealColumn(pool, places[1], reseal, how),
  ];
  return {
    renewed: naming.renewed + kept.renewed,
    left: naming.left + kept.left,
    lost: naming.lost + kept.lost,
  };
}

/** What is to stand in the place of a text that `sealSecret` made: the same, sealed with the first of the keys. */
export const resealText =
  (masterKey: MasterKey): Reseal<string> =>
  (sealed) => {
    const [now, before] = keysOf(masterKey);
    if (textOf(now!, sealed) !== undefined) return undefined;
    const text = before && textOf(before, sealed);
    return text === undefined ? "lost" : sealSecret(now!, text);
  };

function textOf(key: Buffer, sealed: string): string | undefined {
  try {
    return openSecret(key, sealed);
  } catch {
    return undefined;
  }
}
