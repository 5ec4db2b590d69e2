import { createHmac, hash } from "node:crypto";
import {
  deterministicId,
  keyPrefix,
  makeKey,
  streamOf,
  uuid5,
  type Environment,
  type EventData,
  type KeyKind,
} from "@heliograph/contracts";
import type { Append } from "@heliograph/log";

export const demoPartnerId = deterministicId("ptn", "demo");

/** A key that every start can show again, because it follows from the master key and stands nowhere. */
export const derivedKey = (masterKey: Buffer, kind: KeyKind, name: string): string =>
  makeKey(kind, () => createHmac("sha512", masterKey).update(`key/${kind}/${name}`).digest());

/** The installation's own partner: its keys with scope `admin` are the operators'. */
export const operator = { partner_id: deterministicId("ptn", "operator"), name: "Operator" };

/** An operator's key, of the kind `admin`: it reaches the administration of both environments, and nothing of partners'. */
export const adminTerms = (name: string): KeyTerms => ({
  partnerId: operator.partner_id,
  environment: "live",
  name,
  scopes: ["admin"],
});

/** Who makes it, and when (RFC 3339). */
export type Making = { readonly actor: string; readonly createdAt: string };

/** The event that makes a partner; a conflict when there is one of this id. */
export function partnerCreated(
  data: Omit<EventData<"PartnerCreated">, "created_at">,
  { actor, createdAt }: Making,
): Append {
  const id = data.partner_id;
  return first(streamOf("partner", id), "PartnerCreated", id, actor, {
    ...data,
    created_at: createdAt,
  });
}

/** The event that issues a key, made of the plain key, which stands in no event. */
export function keyIssued(
  key: string,
  { partnerId, environment, name, scopes }: KeyTerms,
  { actor, createdAt }: Making,
): Append {
  const sha256 = hash("sha256", key, "hex");
  const id = deterministicId("key", sha256);
  const data: EventData<"KeyIssued"> = {
    key_id: id,
    partner_id: partnerId,
    environment,
    name,
    sha256,
    prefix: keyPrefix(key),
    scopes,
    created_at: createdAt,
  };
  return first(streamOf("key", id), "KeyIssued", partnerId, actor, data);
}

export type KeyTerms = {
  readonly partnerId: string;
  readonly environment: Environment;
  readonly name: string;
  readonly scopes: string[];
};

const first = (
  stream: string,
  type: string,
  partner: string,
  actor: string,
  data: object,
): Append => ({
  stream,
  expected: "no_stream",
  events: [{ id: uuid5(actor, stream, type), type, data, metadata: { partner, actor } }],
});
