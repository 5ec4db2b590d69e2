import type { SmppSettings } from "./settings.ts";

/** How the ids of a gateway's receipts are written beside those of its answers. */
export type ReceiptId = NonNullable<SmppSettings["receipt_id"]>;

/**
 * The standard has 64 characters (section 4.4.2), and 64 hexadecimal digits are 78 decimal ones. Of what is longer no more is kept, in answers and in receipts alike: the ids of the 24 parts that a text may
 * have are one field of an event, which has room for 2,000.
 */
export const maxIdCharacters = 80;

/** Ids are compared without regard to case and to zeros before them: centres pad one and not the other. */
const plain = (id: string): string =>
  id
    .trim()
    .slice(0, maxIdCharacters)
    .toLowerCase()
    .replace(/^0+(?=.)/, "");

/** Of an id that is no such number nothing. BigInt, because ids have up to 64 characters. */
const fromHex = (id: string): string | undefined =>
  /^[0-9a-f]+$/.test(id) ? BigInt(`0x${id}`).toString() : undefined;
const fromDecimal = (id: string): string | undefined => (/^[0-9]+$/.test(id) ? id : undefined);

/** The id of an answer in the form in which receipts will have it, as far as that is known. */
export const answeredId = (id: string, receiptId: ReceiptId): string =>
  ((receiptId === "hex_to_decimal" ? fromHex(plain(id)) : undefined) ?? id.trim()).slice(
    0,
    maxIdCharacters,
  );

/** The ids of a message's parts, in one: no id that is seen in the wild has a comma. */
const separator = ",";
export const joinIds = (ids: readonly string[]): string => ids.join(separator);

/**
 * What one id, or those of all parts, are found by. With `auto` the id as it is and the number that it is in either base: where two messages answer to one of these, it is not
 * known which is meant.
 */
export function smppIdKeys(joined: string, receiptId: ReceiptId = "as_is"): readonly string[] {
  const ids = joined.split(separator).map(plain);
  if (receiptId !== "auto") return ids;
  const keys = ids.flatMap((id) => [id, fromHex(id), fromDecimal(id)]);
  return [...new Set(keys.filter((key) => key !== undefined))];
}

/** Which part of a message a report is about, by the ids of all and the one that it is told with. */
export function smppPartOf(
  joined: string,
  reported: string,
  receiptId: ReceiptId = "as_is",
): { readonly number: number; readonly of: number } | undefined {
  const ids = joined.split(separator);
  if (ids.length === 1) return undefined;
  const keys = new Set(smppIdKeys(reported, receiptId));
  const index = ids.findIndex((id) => smppIdKeys(id, receiptId).some((key) => keys.has(key)));
  return index < 0 ? undefined : { number: index + 1, of: ids.length };
}
