import { createHmac, timingSafeEqual } from "node:crypto";
import type { Environment } from "@heliograph/contracts";

/** A link is made each time an attachment is read and kept nowhere: so long is enough to open it, and short for one that is passed on. */
export const linkSeconds = 3_600;

type Linked = { readonly environment: Environment; readonly id: string; readonly expires: number };

/** HMAC-SHA256 under a key that is derived from the master key for links alone. */
export function signLink(masterKey: Buffer, { environment, id, expires }: Linked): string {
  const key = createHmac("sha256", masterKey).update("heliograph attachment links v1").digest();
  return createHmac("sha256", key)
    .update([environment, id, String(expires)].join("\u001f"))
    .digest("base64url");
}

export function isSigned(masterKey: Buffer, link: Linked, signature: string): boolean {
  const expected = Buffer.from(signLink(masterKey, link));
  const given = Buffer.from(signature);
  return expected.length === given.length && timingSafeEqual(expected, given);
}
