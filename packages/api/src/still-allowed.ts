import { PublicError } from "@heliograph/contracts";
import { endOf, keyEnded } from "./authenticate.ts";
import type { Call } from "./call.ts";
import { refusalOfMoved } from "./moved.ts";
import { endOfAccess } from "./sessions.ts";

type Waiting = Call<unknown, unknown>;

/** The longest that a timer of Node's takes: 24.8 days. */
const maxTimerMs = 2 ** 31 - 1;
/** Sessions are looked up all at once, and what was found is half a second old at most: an end is noticed within a second. */
const lookEveryMs = 250;

/** How the right of a call has ended meanwhile; a key that the directory no longer knows counts as revoked. */
async function endOfRight(call: Waiting): Promise<PublicError | undefined> {
  const { context, key } = call;
  const moved = refusalOfMoved(context.directory.partner(key.partner_id), {});
  if (moved !== undefined) return moved;
  if (context.directory.isOver(key.environment, call.partner.partner_id))
    return new PublicError("conflict", "The sandbox was reset meanwhile; ask again.");
  if (call.agent !== undefined) return endOfAccess(context, key.environment, key.sha256);
  const now = context.directory.keyById(key.key_id);
  const end = now === undefined ? "revoked" : endOf(now, Date.now());
  return end && keyEnded(end);
}

/** Who waited may have lost the key or the session meanwhile. Throws `key_revoked`, `session_revoked` or `invalid_token`. */
export async function stillAllowed(call: Waiting): Promise<void> {
  const end = await endOfRight(call);
  if (end !== undefined) throw end;
}

type Looking = { readonly checks: Set<() => void>; timer: NodeJS.Timeout };
const looking = new WeakMap<Waiting["context"], Looking>();

/** Looks after a session as long as a call of it waits: one timer for all that wait in this process. */
function lookAfter({ context }: Waiting, check: () => void): () => void {
  let state = looking.get(context);
  if (state === undefined) {
    const checks = new Set<() => void>();
    const timer = setInterval(() => {
      for (const each of checks) each();
    }, lookEveryMs);
    looking.set(context, (state = { checks, timer }));
  }
  const { checks, timer } = state;
  checks.add(check);
  return () => {
    checks.delete(check);
    if (checks.size > 0 || looking.get(context)?.timer !== timer) return;
    clearInterval(timer);
    looking.delete(context);
  };
}

/** Hears when an API key may have ended: the directory changed, or its time came. */
function lookAfterKey({ context, key: { expires_at } }: Waiting, check: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    check();
    if (expires_at === undefined) return;
    clearTimeout(timer);
    timer = setTimeout(look, Math.min(maxTimerMs, Date.parse(expires_at) - Date.now()));
  };
  const forget = context.directory.onChange(look);
  // It may have happened since the call was authenticated.
  look();
  return () => {
    forget();
    clearTimeout(timer);
  };
}

/** Runs the work of a call that waits; its signal ends with the call, and within a second after its key or session does. */
export async function whileAllowed<Result>(
  call: Waiting,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const ended = new AbortController();
  const check = (): void => {
    endOfRight(call).then(
      (end) => end && ended.abort(),
      // The database is away: the call goes on, and is looked after again.
      () => undefined,
    );
  };
  const forget = (call.agent === undefined ? lookAfterKey : lookAfter)(call, check);
  try {
    return await work(AbortSignal.any([call.signal, ended.signal]));
  } finally {
    forget();
  }
}
