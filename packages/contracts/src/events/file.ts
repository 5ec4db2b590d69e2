import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Channel, Id, Time } from "./common.ts";

/**
 * Why a file that came with a message is not kept. What came with the message itself says so at once (`too_large`, `too_many`, `no_room`); one that its provider keeps is tried for a day, but where asking again does not help.
 * `erased`: the person was, before it was there. `failed`: it came, and could not be stored.
 */
export const lostFileReasons = [
  "gone",
  "too_large",
  "too_many",
  "no_room",
  "refused",
  "unreachable",
  "no_gateway",
  "failed",
  "erased",
] as const;
export type LostFileReason = (typeof lostFileReasons)[number];

/** Stream `file-<attachment id>`: what becomes of a file that a person sent. The last of these events counts. */
const File = {
  attachment_id: Id,
  message_id: Id,
  inbound_id: Id,
  contact_id: Id,
  channel: Channel,
};

export const ReceivedFileAwaited = defineEvent(
  "ReceivedFileAwaited",
  1,
  "A file that a person sent is being fetched from its provider.",
  z.strictObject({ ...File, awaited_at: Time }),
);

export const ReceivedFileKept = defineEvent(
  "ReceivedFileKept",
  1,
  "A file that a person sent was fetched and is kept.",
  z.strictObject({ ...File, type: z.string().max(255), bytes: z.int().min(0), kept_at: Time }),
);

export const ReceivedFileLost = defineEvent(
  "ReceivedFileLost",
  1,
  "A file that a person sent is not kept.",
  z.strictObject({ ...File, reason: z.enum(lostFileReasons), lost_at: Time }),
);
