import { PublicError } from "@heliograph/contracts";

const visible = /^[\x21-\x7e]{1,255}$/;

/**
 * The key of an `Idempotency-Key` header, or of the field `path`: bare, or quoted as a structured-field string (draft-ietf-httpapi-idempotency-key-header).
 * Throws `invalid_request` when it is not 1 to 255 visible ASCII characters.
 */
export function parseIdempotencyKey(header: string, path = "Idempotency-Key"): string {
  let key = header;
  if (key.length >= 2 && key.startsWith('"') && key.endsWith('"'))
    key = key.slice(1, -1).replaceAll(/\\(["\\])/g, "$1");
  if (!visible.test(key))
    throw new PublicError(
      "invalid_request",
      "The idempotency key must be 1 to 255 visible ASCII characters.",
      {
        errors: [
          {
            path,
            code: "invalid_format",
            message: "1 to 255 visible ASCII characters, bare or quoted",
          },
        ],
      },
    );
  return key;
}
