import type { Call, PartnerRecord } from "@heliograph/api";

/** What accepting messages asks of whoever sends them: a call, or a broadcast, which nobody calls with. */
export type Sender = Pick<
  Call,
  "account" | "deps" | "limits" | "now" | "metadata" | "agent" | "requestId"
> & {
  readonly partner: Pick<PartnerRecord, "partner_id" | "currency" | "allowed_countries">;
  readonly context: Pick<Call["context"], "logger">;
  /** Where a call came from. */
  readonly ip: string | undefined;
};
