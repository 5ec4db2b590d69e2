import type { KnownPartner } from "./types.ts";

/** Whether nothing is to be sent for a partner: the operator suspended it, or it is leaving the installation. */
export const isStopped = (partner: Pick<KnownPartner, "status" | "place"> | undefined): boolean =>
  partner !== undefined && (partner.status === "suspended" || partner.place !== undefined);
