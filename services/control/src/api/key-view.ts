import type { Key } from "@heliograph/platform";
import { type Call, endOf } from "@heliograph/api";
import { z } from "zod";
import { type Caller, isVisible } from "../decide-key.ts";

export const shown = {
  id: z.string(),
  prefix: z.string(),
  name: z.string(),
  environment: z.enum(["live", "sandbox"]),
  scopes: z.array(z.string()),
  expires_at: z.string().nullable(),
  allowed_cidrs: z.array(z.string()),
  status: z.enum(["active", "expired", "revoked"]),
  replaces: z.string().nullable(),
  replaced_by: z.string().nullable(),
  last_used_at: z.string().nullable().meta({
    description:
      "To the minute; null: never. A change of it is none of the `ETag`, so a key is always answered whole.",
  }),
  created_at: z.string(),
};
export const KeyView = z.object(shown).meta({ id: "Key" });
const once = {
  ...shown,
  key: z.string().nullable().meta({
    description:
      "Shown once: null when an idempotency key is used again after its answer was dropped.",
  }),
};
export const IssuedKey = z.object(once).meta({ id: "IssuedKey" });
export const RotatedKey = z
  .object({
    ...once,
    previous_key_expires_at: z.string().meta({
      description: "Until then the key that was rotated works too, and not one call longer.",
    }),
  })
  .meta({ id: "RotatedKey" });

/** `lastUsedAt` as `usesOf` gives it. */
export const keyView = (key: Key, lastUsedAt?: string): object => ({
  id: key.key_id,
  prefix: key.prefix,
  name: key.name,
  environment: key.environment,
  scopes: key.scopes,
  expires_at: key.expires_at ?? null,
  allowed_cidrs: key.allowed_cidrs ?? [],
  status: endOf(key, Date.now()) ?? "active",
  replaces: key.replaces ?? null,
  replaced_by: key.replaced_by ?? null,
  last_used_at: lastUsedAt ?? null,
  created_at: key.created_at,
});

/** Whose keys a call may see. */
export const callerOf = (call: Call<unknown, unknown>): Caller => ({
  partner: call.account,
  environment: call.env,
});

/** The partner's keys that the caller may see. */
export const visibleKeys = (call: Call<unknown, unknown>): readonly Key[] =>
  call.context.directory.keysOf(call.account).filter((key) => isVisible(key, callerOf(call)));
