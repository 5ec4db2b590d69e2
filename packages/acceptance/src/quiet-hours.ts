import type { QuietHours } from "@heliograph/contracts";
import { formatTime, isZone, quietUntil, zonesOf } from "@heliograph/domain";
import { invalid } from "./content.ts";
import type { SendMessage } from "./send.ts";

const refuse = (path: string, code: string, message: string): Error =>
  invalid([{ path, code, message }]);

/** The hours with the zones that they are of: the one that was named, the contact's, all of the number's country, or UTC where nobody knows. */
export function quietHoursOf(
  asked: SendMessage["quiet_hours"],
  country: string,
  contactZone: string | undefined,
): QuietHours | undefined {
  if (asked === undefined) return undefined;
  const { from, to, policy, zone } = asked;
  if (from === to)
    throw refuse("quiet_hours.to", "out_of_range", "must differ from quiet_hours.from");
  const hours = { from, to, policy };
  if (zone !== undefined) {
    if (!isZone(zone))
      throw refuse("quiet_hours.zone", "invalid_format", "must be a zone such as Europe/Berlin");
    return { ...hours, zones: [zone], found: "request" };
  }
  if (contactZone !== undefined) return { ...hours, zones: [contactZone], found: "contact" };
  const zones = zonesOf(country);
  return zones.length > 0
    ? { ...hours, zones: [...zones], found: "number" }
    : { ...hours, zones: ["UTC"], found: "none" };
}

/** To when a message is put off that is due in quiet hours; undefined when it may go at its time. Throws where it may never go, not then, or not while it is valid. `isStep`: it is due then at the earliest. */
export function putOff(
  quiet: QuietHours,
  due: { readonly dueAt: number; readonly expiresAt: number; readonly isStep: boolean },
): number | undefined {
  const until = quietUntil(quiet, due.dueAt);
  if (until === "never")
    throw refuse(
      "quiet_hours",
      "out_of_range",
      `leave no time of the day in ${quiet.zones.join()}`,
    );
  if (due.isStep || until === undefined) return undefined;
  const end = formatTime(until);
  if (quiet.policy === "reject")
    throw refuse("quiet_hours", "quiet", `it is due in them: they last until ${end}`);
  if (until >= due.expiresAt)
    throw refuse(
      "validity_seconds",
      "out_of_range",
      `ends in the quiet hours, which last until ${end}`,
    );
  return until;
}
