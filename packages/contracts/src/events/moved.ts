import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Channel, ExternalId } from "./common.ts";

/** `suppression` names the stream of what stops the address, as `suppressionName` gives it. */
const Place = ExternalId.extend({ suppression: z.string().max(64) });

/**
 * Streams `moved-<name>` of both addresses of a partner's recipient, whose names tell nothing of them: the same event in each, so that either leads to the other. The addresses
 * can be erased; the names outlive them, so that whoever opted out by one address stays out by the other.
 */
export const RecipientMoved = defineEvent(
  "RecipientMoved",
  1,
  "A provider told that a recipient has another address now.",
  z.strictObject({ channel: Channel, from: Place, to: Place }),
);
