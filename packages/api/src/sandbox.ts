import { PublicError } from "@heliograph/contracts";
import type { Call } from "./call.ts";

/** What only a sandbox can do. Throws `insufficient_scope` for a live key, saying in `what` why. */
export function requireSandbox(call: Call<unknown, unknown>, what: string): void {
  if (call.env !== "sandbox")
    throw new PublicError("insufficient_scope", `${what} in the sandbox only: use a sandbox key.`);
}
