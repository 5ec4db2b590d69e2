import { networkOf, placeOf } from "@heliograph/api";
import { PublicError } from "@heliograph/contracts";
import { takeTries, type TryLimit } from "@heliograph/platform";

/** From one place: a person who mistypes, not a script. */
const placeLimit = { burst: 5, everySeconds: 720 };
/** From the block that one customer of a network may have: a provider gives a /48 as easily as a /64. */
const blockLimit = { burst: 20, everySeconds: 180 };
const blockBits = { ipv4: 24, ipv6: 48 };
/** From everywhere: what a team can answer. */
const totalLimit = { burst: 60, everySeconds: 60 };
/** Somebody who owns a whole network can use all of that up: then each other network still has one an hour, and all of those together what we can bear. */
const networkLimit = { burst: 1, everySeconds: 3_600 };
const networkBits = { ipv4: 16, ipv6: 32 };
const reserveLimit = { burst: 120, everySeconds: 30 };

/** By what is narrow first: who asks too often takes no turn of the others. Throws `rate_limited`. */
export async function takeTurn(pool: Parameters<typeof takeTries>[0], ip: string): Promise<void> {
  const wait = async (...limits: readonly TryLimit[]): Promise<number | undefined> => {
    for (const limit of limits) {
      const seconds = await takeTries(pool, [limit]);
      if (seconds !== undefined) return seconds;
    }
    return undefined;
  };
  const own = await wait(
    { key: `evaluation ${placeOf(ip)}`, ...placeLimit },
    { key: `evaluation block ${networkOf(ip, blockBits)}`, ...blockLimit },
  );
  if (own !== undefined) throw tooMany(own);
  const total = await wait({ key: "evaluations", ...totalLimit });
  if (total === undefined) return;
  const reserve = await wait(
    { key: `evaluation network ${networkOf(ip, networkBits)}`, ...networkLimit },
    { key: "evaluations reserve", ...reserveLimit },
  );
  if (reserve !== undefined) throw tooMany(total);
}

const tooMany = (retryAfterSeconds: number): PublicError =>
  new PublicError("rate_limited", "Too many requests for an evaluation.", { retryAfterSeconds });
