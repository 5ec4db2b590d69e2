import { z } from "zod";
import { defineEvent } from "../define.ts";
import { plainText } from "../plain.ts";
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
    name: plainText(z.string().max(200)),
    sha256: z.string().length(64),
    prefix: plainText(z.string().max(20)),
    scopes: z.array(plainText(z.string().max(64))),
    expires_at: Time.optional(),
    allowed_cidrs: z.array(plainText(z.string().max(64))).optional(),
    /** The key whose successor this is: it opens nothing before that one's `KeyRotated` names it. */
    replaces: Id.optional(),
    created_at: Time,
  }),
);

export const KeyRotated = defineEvent(
  "KeyRotated",
  1,
  "An API key got a successor; both work until the time that is said.",
  z.strictObject({
    key_id: Id,
    partner_id: Id,
    successor_id: Id,
    works_until: Time,
    rotated_at: Time,
  }),
);

/** Stream `key-<id>` of the namespace of the key's environment, where its partner's other events are. */
export const KeyExpiring = defineEvent(
  "KeyExpiring",
  1,
  "An API key ends within the days that are said.",
  z.strictObject({
    key_id: Id,
    name: z.string().max(200),
    prefix: z.string().max(20),
    expires_at: Time,
    notice_days: z.int().min(1),
    at: Time,
  }),
);

export const KeyRevoked = defineEvent(
  "KeyRevoked",
  1,
  "An API key was revoked.",
  z.strictObject({ key_id: Id, partner_id: Id }),
);
