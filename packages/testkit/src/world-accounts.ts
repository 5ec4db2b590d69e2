import { hash, randomBytes } from "node:crypto";
import {
  currentVersion,
  keyPrefix,
  makeKey,
  newId,
  streamOf,
  uuid7,
  type Environment,
  type EventData,
  type EventType,
} from "@heliograph/contracts";
import type { Platform } from "@heliograph/platform";

export type KeyOptions = {
  /** A key `ak_admin_…`, whose scope is `admin`. */
  readonly admin?: true;
  readonly environment?: Environment;
  readonly scopes?: readonly string[];
  readonly expires_at?: string;
  readonly allowed_cidrs?: readonly string[];
  readonly replaces?: string;
};
export type PartnerOptions = {
  /** In the sandbox. */
  readonly funds?: string;
  readonly rateLimit?: { readonly requests: number; readonly window_seconds: number };
};
/** A partner with a key of the sandbox that may do everything. */
export type TestPartner = { readonly id: string; readonly key: string };

/** Partners, keys and gateways as the platform log has them, in effect when a call resolves; and funds. */
export function accountsOf(platform: Platform) {
  const appendPlatform = async (
    stream: string,
    expected: "no_stream" | "any",
    type: EventType,
    data: object,
  ): Promise<void> => {
    const version = currentVersion(type);
    const event = { id: uuid7(), type, version, data, metadata: { actor: "test" } };
    const [outcome] = await platform.platformLog.append([{ stream, expected, events: [event] }]);
    if (outcome?.kind !== "appended") throw new Error(JSON.stringify(outcome));
    await platform.directory.caughtUp(outcome.position);
  };

  const addKey = async (partner: string, options: KeyOptions = {}): Promise<string> => {
    const environment = options.environment ?? (options.admin ? "live" : "sandbox");
    const text = makeKey(options.admin ? "admin" : environment, randomBytes);
    const data: EventData<"KeyIssued"> = {
      key_id: newId("key"),
      partner_id: partner,
      environment,
      name: "test",
      sha256: hash("sha256", text, "hex"),
      prefix: keyPrefix(text),
      scopes: [...(options.scopes ?? [options.admin ? "admin" : "*"])],
      ...(options.expires_at !== undefined && { expires_at: options.expires_at }),
      ...(options.allowed_cidrs !== undefined && { allowed_cidrs: [...options.allowed_cidrs] }),
      ...(options.replaces !== undefined && { replaces: options.replaces }),
      created_at: new Date().toISOString(),
    };
    await appendPlatform(streamOf("key", data.key_id), "no_stream", "KeyIssued", data);
    return text;
  };

  /** What the wallet would write: the test is the wallet here. */
  const fund = async (
    partner: string,
    available: string,
    environment: Environment = "sandbox",
  ): Promise<void> => {
    const entries = [{ transaction_id: newId("wtx"), amount: available }];
    const data = { covers: "0", available, held: "0", currency: "USD", entries };
    await platform.contexts[environment].log.append([
      {
        stream: streamOf("wallet", partner),
        expected: "any",
        events: [{ id: uuid7(), type: "FundsToppedUp", data, metadata: { partner } }],
      },
    ]);
  };

  const addPartner = async (options: PartnerOptions = {}): Promise<TestPartner> => {
    const id = newId("ptn");
    const data: EventData<"PartnerCreated"> = {
      partner_id: id,
      name: "Test",
      currency: "USD",
      rate_limit: options.rateLimit ?? { requests: 100_000, window_seconds: 1 },
      created_at: new Date().toISOString(),
    };
    await appendPlatform(streamOf("partner", id), "no_stream", "PartnerCreated", data);
    await fund(id, options.funds ?? "1000");
    return { id, key: await addKey(id) };
  };

  return { appendPlatform, addKey, fund, addPartner };
}
