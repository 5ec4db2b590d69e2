import { hash } from "node:crypto";
import { isIP } from "node:net";
import {
  type Environment,
  type EventData,
  keyPrefix,
  makeKey,
  streamOf,
} from "@heliograph/contracts";
import type { Append } from "@heliograph/log";
import type { Call } from "./call.ts";
import { created } from "./platform.ts";

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
  rest: Pick<EventData<"KeyIssued">, "name" | "scopes" | "expires_at" | "allowed_cidrs">,
): NewKey {
  let round = 0;
  const key = makeKey(environment, (size) => call.derivedBytes(size, `key ${name} ${round++}`));
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

/** Whether the text is an address or a CIDR block. */
export function isCidr(text: string): boolean {
  const [address, bits, ...more] = text.split("/");
  const family = isIP(address!);
  if (family === 0 || more.length > 0) return false;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
  );
}
