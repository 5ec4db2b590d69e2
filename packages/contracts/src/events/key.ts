import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Time } from "./common.ts";

/** Stream `key-<id>` of the `platform` namespace. */
export const KeyIssued = defineEvent(
  "KeyIssued",
  1,
  "An API key was issued; only its SHA-256 is kept.",
  z.strictObject({
    key_id: Id,
    partner_id: Id,
    environment: z.enum(["live", "sandbox"]),
    name: z.string().max(200),
    sha256: z.string().length(64),
    prefix: z.string().max(20),
    scopes: z.array(z.string().max(64)),
    expires_at: Time.optional(),
    allowed_cidrs: z.array(z.string().max(64)).optional(),
    created_at: Time,
  }),
);

export const KeyRevoked = defineEvent(
  "KeyRevoked",
  1,
  "An API key was revoked.",
  z.strictObject({ key_id: Id, partner_id: Id }),
);
