import { PublicError } from "@heliograph/contracts";
import { erasedText, isSealed } from "@heliograph/vault";
import type { Call } from "./call.ts";

/** Seals texts under the keys of all whom a call concerns, one in the other: each of them destroys them. Where it concerns nobody they stay open. */
export async function sealedForAll(
  call: Call<unknown, unknown>,
): Promise<(text: string) => string> {
  if (call.concerned.length === 0) return (text) => text;
  const partner = call.partner.partner_id;
  const seals = await call.deps.vault.seals(
    call.concerned.map((subject) => ({ partner, subject })),
  );
  return (text) => seals.reduce((inner, seal) => seal(inner), text);
}

/** Takes back what `sealedForAll` made. Throws `contact_erased` where the key of one of them is gone. */
export async function openedFromAll(
  call: Call<unknown, unknown>,
  texts: readonly string[],
): Promise<readonly string[]> {
  let found = texts;
  while (isSealed(found[0])) {
    const outer = found;
    found = (await call.deps.vault.open(call.partner.partner_id, outer))(outer);
    if (found[0] === erasedText)
      throw new PublicError("contact_erased", "The contact whose data it was is erased.");
    if (found[0] === outer[0]) throw new Error("what is kept of a request does not open");
  }
  return found;
}
