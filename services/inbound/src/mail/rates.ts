import { placeOf } from "@heliograph/api";
import { RateLimiter } from "@heliograph/runtime";
import { mailsOfOne, mailsToOne } from "./limits.ts";

/** How much mail is stored, by where it comes from and by whom it is for. */
export type Rates = {
  /** Whether another mail from there to this address is taken. Counts nothing: who asks and sends nothing keeps nobody else's mail out. */
  hasRoom(remoteAddress: string, address: string): boolean;
  /** One mail, once for each address that it is stored for. */
  count(remoteAddress: string, addresses: readonly string[]): void;
};

/** Of one process. `now` is in ms, of a clock that never goes back. */
export function openRates(now?: () => number): Rates {
  const limiter = new RateLimiter(now);
  const from = (remoteAddress: string): string => `from ${placeOf(remoteAddress)}`;
  const to = (address: string): string => `to ${address}`;
  return {
    hasRoom: (remoteAddress, address) =>
      limiter.look(from(remoteAddress), mailsOfOne).remaining > 0 &&
      limiter.look(to(address), mailsToOne).remaining > 0,
    count(remoteAddress, addresses) {
      limiter.charge(from(remoteAddress), mailsOfOne, addresses.length);
      for (const address of addresses) limiter.charge(to(address), mailsToOne, 1);
    },
  };
}
