import { expect, test } from "vitest";
import { checkMessage } from "./check-funds.ts";
import { newVerdict } from "./verdict.ts";

const error = { code: "content_filtered", class: "content", permanent: true };
/** What is said of a message that ended with this error, and whose funds moved so. */
function saidOf(end: string, said: object, ...funds: readonly string[]): readonly string[] {
  const verdict = newVerdict();
  const account = Object.fromEntries(["FundsHeld", ...funds].map((type) => [type, ["0.012"]]));
  const events = ["MessageRequested", ...(end === "MessageFailed" ? ["MessageSent"] : []), end];
  const stream = events.map((type) => ({ type, data: type === end ? { error: said } : {} }));
  checkMessage("msg_1", "0.012", account, stream, verdict);
  return verdict.violations;
}

test("a message that failed is given back or, where a provider charges for it, kept: once, and never both", () => {
  const billed = { ...error, billable: true };
  for (const end of ["MessageFailed", "MessageRejected"])
    expect(saidOf(end, billed, "FundsCaptured", "FundsKept")).toEqual([]);
  expect(saidOf("MessageFailed", error, "FundsCaptured", "FundsRefunded")).toEqual([]);
  for (const [said, ...funds] of [
    [billed, "FundsCaptured"],
    [billed, "FundsCaptured", "FundsKept", "FundsRefunded"],
    [error, "FundsCaptured", "FundsKept"],
  ] as const)
    expect(saidOf("MessageFailed", said, ...funds)).toHaveLength(1);
});
