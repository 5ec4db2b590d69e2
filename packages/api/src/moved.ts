import { PublicError } from "@heliograph/contracts";
import type { KnownPartner } from "@heliograph/runtime";

/** A move takes minutes, and is not to be asked after each second by everybody. */
const retryAfterSeconds = 30;

/** What a call of a partner that is moved gets: meanwhile it may read, and once it has moved only the other installation knows what there is. Undefined where it lives here. */
export function refusalOfMoved(
  partner: Pick<KnownPartner, "place"> | undefined,
  { mutates }: { readonly mutates?: boolean | undefined },
): PublicError | undefined {
  const place = partner?.place;
  if (place?.state === "elsewhere")
    return new PublicError("partner_moved", "Your account lives in another installation.", {
      ...(place.address !== undefined && { extra: { moved_to: place.address } }),
    });
  return place !== undefined && mutates === true
    ? new PublicError("partner_moving", "Your account is being moved.", { retryAfterSeconds })
    : undefined;
}
