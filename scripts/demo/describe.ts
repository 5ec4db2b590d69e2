/** One entry of `GET /messages/{id}/timeline`. */
export type TimelineEntry = {
  readonly position: string;
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- each type has its own shape, documented in schemas/events
  readonly data: any;
  readonly reason?: string;
};

type Failure = { readonly code: string; readonly provider?: { readonly text?: string } };
const failureText = (error: Failure): string =>
  error.provider?.text === undefined ? error.code : `${error.code} ("${error.provider.text}")`;

const wallet: Readonly<Record<string, string>> = {
  FundsHeld: "holds",
  FundsDeclined: "does not cover",
  FundsCaptured: "charges",
  FundsReleased: "gives back the hold of",
  FundsRefunded: "refunds",
};

/** What an event says, in a few words; decisions with their reasons. */
export function describe({ type, data, reason }: TimelineEntry): string {
  const because = reason === undefined ? "" : `; ${reason}`;
  const move = wallet[type];
  if (move !== undefined)
    return `${move} ${data.amount} ${data.currency}; ${data.available} available, ${data.held} held`;
  switch (type) {
    case "MessageRequested":
      return `${data.channel} to ${data.to} for ${data.cost} ${data.currency}`;
    case "MessageSent":
    case "MessageResent":
      return `${data.gateway} took it as ${data.provider.message_id} (${data.provider.status})${because}`;
    case "DispatchAttemptFailed":
      return `attempt ${data.attempt} at ${data.gateway}: ${failureText(data.error)}${because}`;
    case "DispatchUncertain":
      return `attempt ${data.attempt} at ${data.gateway}, ${data.cause}: ${data.policy}${because}`;
    case "ReceiptReceived":
      return `${data.gateway} reports ${data.status}${data.diagnostic === undefined ? "" : ` ("${data.diagnostic}")`}`;
    case "MessageFailed":
      return `${failureText(data.error)} after ${data.retry_count} retries; ${data.refund.amount} ${data.refund.currency} back`;
    case "MessageBounced":
      return data.diagnostic;
    case "MessageCorrected":
      return `${data.before.status} was wrong: ${data.status}${because}`;
    case "MessageDelivered":
      return `confirmed by ${data.gateway}`;
    default:
      return `${data.error === undefined ? "" : failureText(data.error)}${because}`.replace(
        /^; /,
        "",
      );
  }
}
