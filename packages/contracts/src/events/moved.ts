import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Channel, ExternalId } from "./common.ts";

/**
 * Streams `moved-<name>` of both addresses of a partner's recipient, whose names tell nothing of them: the same event in each, so that either leads to the other. The addresses
 * can be erased.
 */
export const RecipientMoved = defineEvent(
  "RecipientMoved",
  1,
  "A provider told that a recipient has another address now.",
  z.strictObject({ channel: Channel, from: ExternalId, to: ExternalId }),
);
