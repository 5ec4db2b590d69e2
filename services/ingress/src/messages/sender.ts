import { Allowance, type Call, type EnvironmentDeps, type PartnerRecord } from "@heliograph/api";
import { accountOf } from "@heliograph/contracts";
import type { GatewayDirectory } from "@heliograph/runtime";

/** What accepting messages asks of whoever sends them: a call, or a broadcast, which nobody calls with. */
export type Sender = Pick<
  Call,
  "account" | "deps" | "limits" | "now" | "metadata" | "agent" | "requestId"
> & {
  readonly partner: Pick<PartnerRecord, "partner_id" | "currency" | "allowed_countries">;
  readonly context: Pick<Call["context"], "logger">;
  /** Where a call came from. */
  readonly ip: string | undefined;
  /** There are many of them, in rounds: nobody else waits for their company. */
  readonly crowded?: boolean;
};

/** Who sends for something that nobody calls with, by whose id it is named; undefined where there is no such partner any more. */
export function senderFor(
  {
    deps,
    directory,
    counters,
    logger,
  }: {
    readonly deps: EnvironmentDeps;
    readonly directory: Pick<GatewayDirectory, "partner">;
    readonly counters: ConstructorParameters<typeof Allowance>[0];
    readonly logger: Call["context"]["logger"];
  },
  id: string,
  partner: string,
): Sender | undefined {
  const account = accountOf(partner);
  const known = directory.partner(account);
  if (known === undefined) return undefined;
  const { currency, allowed_countries } = known;
  const { clock } = deps;
  return {
    partner: {
      partner_id: partner,
      currency,
      ...(allowed_countries !== undefined && { allowed_countries }),
    },
    account,
    deps: { ...deps, log: deps.log.forPartner(partner) },
    limits: new Allowance(counters, { partner: { ...known, partner_id: partner } }),
    now: () => clock.now(partner),
    metadata: (extra) => ({ partner, actor: id, ...clock.stamp(partner), ...extra }),
    agent: undefined,
    requestId: id,
    ip: undefined,
    context: { logger },
  };
}
