import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Time } from "./common.ts";

/** Stream `external-id-<name>`: appended where no stream may be, so one external id never has two owners. */
export const ExternalIdClaimed = defineEvent(
  "ExternalIdClaimed",
  1,
  "A contact owns an external id.",
  z.strictObject({
    name: z.string().max(64),
    source: z.string().max(64),
    contact_id: Id,
    claimed_at: Time,
  }),
);

export const ExternalIdReleased = defineEvent(
  "ExternalIdReleased",
  1,
  "An external id is free again.",
  z.strictObject({
    name: z.string().max(64),
    source: z.string().max(64),
    contact_id: Id,
    reason: z.enum(["removed", "given_back", "erased"]),
    released_at: Time,
  }),
);
