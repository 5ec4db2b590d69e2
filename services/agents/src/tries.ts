import { placeOf } from "@heliograph/api";
import { PublicError } from "@heliograph/contracts";
import { forgetTries, isKnownPlace, takeTries, type TryLimit } from "@heliograph/platform";
import type pg from "pg";

/**
 * Tries are limited before a password is looked at, so that guessing costs us nothing. From one place at one account: what a person mistypes. From one place: an office. At one
 * account from anywhere: guessing from many places; whoever has signed in from a place before is not subject to it there, so strangers shut no owner out.
 */
const pairLimit = { burst: 20, everySeconds: 15 };
const placeLimit = { burst: 200, everySeconds: 3 };
const accountLimit = { burst: 100, everySeconds: 30 };
/** Mails at one account: nobody's mailbox is filled by strangers. */
const mailLimit = { burst: 3, everySeconds: 1_200 };

/** One try to prove who somebody is. */
export type Try = {
  /** The way in was right: it counts as no try, and the place is known from now on. */
  succeeded(): Promise<void>;
};

/** Takes a try at a login from an address. Throws `rate_limited`, for accounts that there are and others alike. */
export async function takeTry(pool: pg.Pool, login: string, ip: string): Promise<Try> {
  const place = placeOf(ip);
  const pair: TryLimit = { key: `pair ${login} ${place}`, ...pairLimit };
  const account: TryLimit = { key: `account ${login}`, ...accountLimit };
  const known = await isKnownPlace(pool, login, place);
  const others = [placeTry(place), ...(known ? [] : [account])];
  await take(pool, [pair, ...others]);
  return { succeeded: () => forgetTries(pool, pair.key, others, { login, place }) };
}

/** A try with a token, which names no account. Throws `rate_limited`. */
export const takeTokenTry = (pool: pg.Pool, ip: string): Promise<void> =>
  take(pool, [placeTry(placeOf(ip))]);

/** Whether another mail may go to this account; that none goes is not told. */
export const takeMailTry = async (pool: pg.Pool, login: string): Promise<boolean> =>
  (await takeTries(pool, [{ key: `mail ${login}`, ...mailLimit }])) === undefined;

/** Another invitation of the same agent. Throws `rate_limited`. */
export const takeInvitationTry = (pool: pg.Pool, agent: string): Promise<void> =>
  take(pool, [{ key: `invitation ${agent}`, ...mailLimit }]);

const placeTry = (place: string): TryLimit => ({ key: `place ${place}`, ...placeLimit });

async function take(pool: pg.Pool, limits: readonly TryLimit[]): Promise<void> {
  const retryAfterSeconds = await takeTries(pool, limits);
  if (retryAfterSeconds !== undefined)
    throw new PublicError("rate_limited", "Too many tries. Wait a moment.", { retryAfterSeconds });
}
