import type { EventData } from "@heliograph/contracts";
import type { ServiceContext } from "@heliograph/runtime";

type Place = Pick<ServiceContext, "log" | "vault">;

const error = { code: "unknown_recipient", class: "recipient", permanent: true };
/** What a mail server says of one that came back, and what a later reading makes of it. */
export const bounce = { error, diagnostic: "550 no such user" };
export const correction = {
  status: "delivered",
  before: { status: "bounced", error },
  reason: "A receipt was read again.",
  gateway: "sandbox",
  provider_message_id: "p",
  at: "2026-01-01T00:00:00.000Z",
  refunds: false,
  cost: "0",
  currency: "EUR",
};

/** What a partner has asked to be sent with this text, as it is read. */
export async function requestsWith({ log, vault }: Place, partner: string, text: string) {
  const { events } = await log.readAll({ after: 0n, limit: 10_000, types: ["MessageRequested"] });
  const own = events.flatMap(({ data, metadata }) =>
    metadata.partner === partner ? [data as EventData<"MessageRequested">] : [],
  );
  return own.map(await vault.open(partner, own)).filter(({ content }) => content.text === text);
}

/** How many messages of these there are for each address. */
export function countsByAddress(
  asked: readonly { readonly to: string }[],
): Readonly<Record<string, number>> {
  const times: Record<string, number> = {};
  for (const { to } of asked) times[to] = (times[to] ?? 0) + 1;
  return times;
}

/** The senders of a pool that recipients were given. */
export async function chosenOf({ log }: Place, poolId: string) {
  const { events } = await log.readAll({ after: 0n, limit: 10_000, types: ["SenderChosen"] });
  return events.filter(({ data }) => data.pool_id === poolId);
}
