import { suppressionName } from "@heliograph/domain";
import type { PublicError } from "@heliograph/contracts";
import type { Accepted } from "@heliograph/acceptance";
import type { Outcome } from "@heliograph/log";
import type { Sender } from "./sender.ts";

type Allowed<Answer> =
  | { readonly kind: "allowed" }
  | { readonly kind: "earlier"; readonly answer: Answer }
  | { readonly kind: "refused"; readonly error: PublicError };

/** Who a message is to, each step of it, since each may be sent: in a form that names nobody; empty where recipients are not counted. */
const recipientsOf = (call: Sender, data: Accepted["data"]): readonly string[] =>
  [data, ...(data.failover ?? [])].map(({ channel, to }) =>
    call.limits!.countsRecipients
      ? suppressionName(call.deps.vault, call.partner.partner_id, channel, to)
      : "",
  );

/**
 * Holds messages against what their partner may send. When that is not enough for all of them, those that were accepted before are found out first, and take nothing: so a batch that is
 * sent again with its key goes on where it was stopped. `earlier` finds the earlier answers to their keys, by their places: those were counted then.
 */
export async function allow<Answer>(
  call: Sender,
  candidates: readonly Accepted["data"][],
  earlier: () => Promise<(place: number) => Answer | undefined>,
): Promise<readonly Allowed<Answer>[]> {
  const limits = call.limits!;
  const results = candidates.map((): Allowed<Answer> => ({ kind: "allowed" }));
  const names = candidates.map((data) => recipientsOf(call, data));
  const take = async (places: readonly number[]): Promise<readonly number[]> => {
    const answers = (await limits.messages(places.flatMap((at) => names[at]!))).values();
    const refused: number[] = [];
    for (const at of places) {
      const own = names[at]!.map((name) => ({ name, error: answers.next().value }));
      const error = own.find((each) => each.error !== undefined)?.error;
      results[at] = error === undefined ? { kind: "allowed" } : { kind: "refused", error };
      if (error === undefined) continue;
      refused.push(at);
      // A message goes with all of its steps or not at all.
      const taken = own.filter((each) => each.error === undefined);
      if (taken.length > 0) limits.giveBackMessages(taken.map(({ name }) => name));
    }
    return refused;
  };
  const refused = await take([...candidates.keys()]);
  if (refused.length === 0) return results;
  const unused: string[] = [];
  const answers = await earlier();
  for (const at of candidates.keys()) {
    const answer = answers(at);
    if (answer === undefined) continue;
    if (results[at]!.kind === "allowed") unused.push(...names[at]!);
    results[at] = { kind: "earlier", answer };
  }
  if (unused.length > 0) {
    limits.giveBackMessages(unused);
    const still = refused.filter((at) => results[at]!.kind === "refused");
    if (still.length > 0) await take(still);
  }
  return results;
}

/** Gives back what these messages took: they were not accepted, or had been before. */
export function giveBackAllowed(call: Sender, messages: readonly Accepted["data"][]): void {
  if (messages.length > 0)
    call.limits!.giveBackMessages(messages.flatMap((data) => recipientsOf(call, data)));
}

/** Of those that were counted the ones that this append has not stored. */
export function unstored(
  counted: readonly Accepted["data"][],
  prepared: readonly { readonly value: Accepted }[],
  outcomes: readonly Outcome[],
): readonly Accepted["data"][] {
  const stored = new Set(
    prepared.flatMap(({ value }, place) =>
      outcomes[place]!.kind === "appended" ? [value.data.message_id] : [],
    ),
  );
  return counted.filter(({ message_id: id }) => !stored.has(id));
}
