import type { PublicError } from "@heliograph/contracts";
import { parseTime } from "@heliograph/domain";
import { parsePosition, positionBefore } from "@heliograph/log";
import { z } from "zod";
import type { Call } from "./call.ts";
import { notValid } from "./validate.ts";

/** The `as_of` that the query of a route with `asOf` takes. */
export const AsOf = z.string().max(40).optional().meta({
  description:
    "A position of the log, or a time by its clock (RFC 3339): the answer is as it was then.",
  example: "0000000000104200",
});

/** From here on the call reads the log as it ended at a position or a time. Throws `invalid_request` for what is neither. */
export async function lookBack(call: Call<unknown, unknown>, text: string): Promise<void> {
  const position = parsePosition(text);
  if (position !== undefined) return call.readUntil(position);
  const timeMs = parseTime(text);
  if (timeMs === undefined)
    throw notValid("query", [
      {
        path: "as_of",
        code: "invalid_format",
        message: "must be a position of the log, or an RFC 3339 time such as 2026-05-23T14:22:17Z",
      },
    ]);
  // What was recorded in that very millisecond was the case at it.
  call.readUntil(await positionBefore(call.deps.log, timeMs + 1));
}

/** Whether a query takes `as_of`, of whatever meaning. */
export const takesAsOf = (query: unknown): boolean =>
  query instanceof z.ZodObject && Object.hasOwn(query.shape, "as_of");

/** The refusal of `as_of` where the answer does not follow from the log alone, or not any more. */
export const notAsOf = (
  message = "is not taken here: this cannot be read as of an earlier time",
): PublicError => notValid("query", [{ path: "as_of", code: "not_supported", message }]);
