import type { Environment } from "@heliograph/contracts";
import type { Directory } from "@heliograph/platform";
import type { PartnerRecord } from "./context.ts";

/** Records by the partner's own, so that a request makes none. */
const known = new WeakMap<PartnerRecord, PartnerRecord>();

/** A partner as calls to one environment see it: `partner_id` is the space of its data. */
export function partnerIn(
  directory: Directory,
  environment: Environment,
  partner: PartnerRecord,
): PartnerRecord {
  const partner_id = directory.spaceOf(environment, partner.partner_id);
  if (partner_id === partner.partner_id) return partner;
  let made = known.get(partner);
  if (made?.partner_id !== partner_id) known.set(partner, (made = { ...partner, partner_id }));
  return made;
}
