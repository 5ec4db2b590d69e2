// What the README shows, compiled.
import { refuseSuppressed, type Suppressed } from "@heliograph/acceptance";

export async function example(
  suppressed: Suppressed,
  partner: string,
  to: string,
): Promise<Error | undefined> {
  const stop = await suppressed.find(partner, { channel: "sms", to, category: "marketing" });
  const refusal = stop === undefined ? undefined : refuseSuppressed(stop); // 422 recipient_suppressed
  return refusal;
}
