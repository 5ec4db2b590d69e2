import { hash } from "node:crypto";
import {
  type Environment,
  type EventData,
  keyPrefix,
  keysOf,
  makeKey,
  streamOf,
} from "@heliograph/contracts";
import type { Append } from "@heliograph/log";
import { type Call, created, showsSecrets } from "@heliograph/api";

export type NewKey = {
  /** The key that the event issues, and the one that a first try issued where the master key has been rotated since. */
  readonly keys: readonly string[];
  readonly data: EventData<"KeyIssued">;
  readonly append: Append;
};

const hashOf = (key: string): string => hash("sha256", key, "hex");

/** A key and the event that issues it. `name` tells apart several keys of one call; a retry of the call makes the same key. */
export function issueKey(
  call: Call,
  name: string,
  partner: string,
  environment: Environment,
  rest: Pick<
    EventData<"KeyIssued">,
    "name" | "scopes" | "expires_at" | "allowed_cidrs" | "replaces"
  >,
): NewKey {
  // What opens the administration and nothing else shows it in its first characters.
  const onlyAdmin = environment === "live" && rest.scopes.every((scope) => scope === "admin");
  const keys = keysOf(call.context.masterKey).map((masterKey) => {
    let round = 0;
    return makeKey(onlyAdmin ? "admin" : environment, (size) =>
      call.derivedBytes(size, `key ${name} ${round++}`, masterKey),
    );
  });
  const key = keys[0]!;
  const data: EventData<"KeyIssued"> = {
    key_id: call.derivedId("key", name),
    partner_id: partner,
    environment,
    sha256: hashOf(key),
    prefix: keyPrefix(key),
    created_at: new Date().toISOString(),
    ...rest,
  };
  return {
    keys,
    data,
    append: created(call, streamOf("key", data.key_id), `key ${name}`, "KeyIssued", data),
  };
}

/** The key as an answer shows it, once: the one that was recorded, which a repetition may have derived from another master key. Null when it is not shown again, or cannot be. */
export function shownKey(call: Call, { keys, data }: NewKey, repeated: boolean): string | null {
  if (!showsSecrets(call, repeated)) return null;
  const { sha256 } = call.context.directory.keyById(data.key_id) ?? data;
  return keys.find((key) => hashOf(key) === sha256) ?? null;
}
