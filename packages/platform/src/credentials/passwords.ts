import { hash, verify } from "@node-rs/argon2";
import { PublicError } from "@heliograph/contracts";

/** OWASP's first choice for argon2id: 19 MiB, two passes, one lane; 13 – 15 ms of a processor. */
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const current = "$argon2id$v=19$m=19456,t=2,p=1$";

/** Eight at once held the loop for 300 ms on a loaded machine: two leave the other half of the thread pool to files and names. */
const maxAtOnce = 2;
/** A second of work. Who comes later is told so, and not kept waiting with everybody behind. */
const maxWaiting = 128;

let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
  if (running < maxAtOnce) running++;
  else {
    if (waiting.length >= maxWaiting)
      throw new PublicError("overloaded", "Too many sign in at this moment.", {
        retryAfterSeconds: 1,
      });
    // Whoever ends hands its place over.
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}

/** One form of what is typed in different ways (NIST SP 800-63B §3.1.1.2 recommends NFC or NFKC). */
const formOf = (password: string): string => password.normalize("NFKC");

/** The argon2id hash of a password in PHC form. Throws `overloaded`. */
export const hashPassword = (password: string): Promise<string> =>
  inTurn(() => hash(formOf(password), parameters));

let dummy: Promise<string> | undefined;

/**
 * Whether the password is that of the hash. Without a hash (nobody of that name, or no password yet) the same work is done for nothing, so that the time tells
 * nothing. Throws `overloaded`.
 */
export async function verifyPassword(
  stored: string | undefined,
  password: string,
): Promise<boolean> {
  dummy ??= hashPassword("nobody's");
  const against = stored ?? (await dummy);
  const right = await inTurn(() => verify(against, formOf(password)));
  return right && stored !== undefined;
}

/** Whether a hash was made with other parameters than those in use. */
export const isOutdated = (stored: string): boolean => !stored.startsWith(current);
