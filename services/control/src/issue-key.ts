import { hash } from "node:crypto";
import {
  type Environment,
  type EventData,
  keyPrefix,
  makeKey,
  streamOf,
} from "@heliograph/contracts";
import type { Append } from "@heliograph/log";
import { type Call, created } from "@heliograph/api";

export type NewKey = {
  /** Shown once. */
  readonly key: string;
  readonly data: EventData<"KeyIssued">;
  readonly append: Append;
};

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
  let round = 0;
  // What opens the administration and nothing else shows it in its first characters.
  const onlyAdmin = environment === "live" && rest.scopes.every((scope) => scope === "admin");
  const key = makeKey(onlyAdmin ? "admin" : environment, (size) =>
    call.derivedBytes(size, `key ${name} ${round++}`),
  );
  const data: EventData<"KeyIssued"> = {
    key_id: call.derivedId("key", name),
    partner_id: partner,
    environment,
    sha256: hash("sha256", key, "hex"),
    prefix: keyPrefix(key),
    created_at: new Date().toISOString(),
    ...rest,
  };
  return {
    key,
    data,
    append: created(call, streamOf("key", data.key_id), `key ${name}`, "KeyIssued", data),
  };
}
