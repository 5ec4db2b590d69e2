import { createHmac, timingSafeEqual } from "node:crypto";
import { keysOf, PublicError, type MasterKey } from "@heliograph/contracts";

const macBytes = 8;
const mac = (secret: Uint8Array, scope: string, payload: string): Buffer =>
  createHmac("sha256", secret)
    .update(`cursor\u001f${scope}\u001f${payload}`)
    .digest()
    .subarray(0, macBytes);

/** An opaque list cursor. `scope` names the list and its owner, so that a cursor of another list, partner or environment is refused. */
export const encodeCursor = (secret: Uint8Array, scope: string, value: unknown): string => {
  const payload = JSON.stringify(value);
  return Buffer.concat([mac(secret, scope, payload), Buffer.from(payload)]).toString("base64url");
};

/** What `encodeCursor` was given. Throws `invalid_request` when the text was changed or comes from elsewhere. */
export function decodeCursor(
  secret: MasterKey,
  scope: string,
  text: string,
  path = "after",
): unknown {
  const bytes = Buffer.from(text, "base64url");
  const payload = bytes.toString("utf8", macBytes);
  if (
    bytes.length > macBytes &&
    keysOf(secret).some((key) =>
      timingSafeEqual(bytes.subarray(0, macBytes), mac(key, scope, payload)),
    )
  )
    return JSON.parse(payload);
  throw new PublicError("invalid_request", "The cursor is not one of this list.", {
    errors: [
      {
        path,
        code: "invalid_cursor",
        message: "use next_cursor or prev_cursor of an earlier page, unchanged",
      },
    ],
  });
}
