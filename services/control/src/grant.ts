import { PublicError } from "@heliograph/contracts";
import type { Key } from "@heliograph/platform";
import { formatTime, parseTime } from "@heliograph/domain";
import { blocksOf, type Call, hasScope, isWithin, parseBlock } from "@heliograph/api";

/** What a key may do, from where and for how long. */
export type Terms = Pick<Key, "scopes" | "expires_at" | "allowed_cidrs">;

/** Throws `invalid_request` for a scope that no route asks for: a typing error is not silently ignored. */
export function requireKnown(call: Call<unknown, unknown>, scopes: readonly string[]): void {
  const known = new Set(["*", ...call.context.scopes]);
  for (const scope of call.context.scopes)
    if (scope.includes(":")) known.add(`${scope.split(":")[0]}:*`);
  const errors = scopes.flatMap((scope, index) =>
    known.has(scope)
      ? []
      : [
          {
            path: `scopes.${index}`,
            code: "unknown_scope",
            message: `there are ${[...known].sort().join(", ")}`,
          },
        ],
  );
  if (errors.length > 0)
    throw new PublicError("invalid_request", "There is no such scope.", { errors });
}

/** A key is never wider, longer or less bound than the one that makes it. Throws `insufficient_scope` naming what goes beyond. */
export function requireWithin(maker: Terms, made: Terms): void {
  const refuse = (what: string, scope?: string): never => {
    throw new PublicError(
      "insufficient_scope",
      `A key cannot grant what it does not have: ${what}.`,
      { ...(scope !== undefined && { extra: { required_scope: scope } }) },
    );
  };
  const beyond = made.scopes.find((scope) => !hasScope(maker.scopes, scope));
  if (beyond !== undefined) refuse(beyond, beyond);
  const { expires_at: end } = maker;
  if (end !== undefined && !(Date.parse(made.expires_at ?? "") <= Date.parse(end)))
    refuse(`use after ${end}`);
  if (isAnywhere(maker)) return;
  if (isAnywhere(made)) return refuse("use from anywhere");
  const outer = blocksOf(maker);
  const outside = made.allowed_cidrs!.find((text) => !isWithin(parseBlock(text)!, outer));
  if (outside !== undefined) refuse(`use from ${outside}`);
}

const isAnywhere = ({ allowed_cidrs }: Terms): boolean => (allowed_cidrs ?? []).length === 0;

/** The terms of a new key: what is left out is its maker's, but for `admin`, which is asked for by name. Throws `insufficient_scope`. */
export function grantOf(
  maker: Terms,
  asked: {
    readonly scopes?: readonly string[] | undefined;
    readonly expires_at?: string | undefined;
    readonly allowed_cidrs?: string[] | undefined;
  },
): Terms {
  const scopes = asked.scopes ?? maker.scopes.filter((scope) => scope !== "admin");
  const expires_at =
    asked.expires_at === undefined ? maker.expires_at : formatTime(parseTime(asked.expires_at)!);
  const allowed_cidrs = asked.allowed_cidrs ?? maker.allowed_cidrs;
  const terms = {
    scopes: [...new Set(scopes)],
    ...(expires_at !== undefined && { expires_at }),
    ...(allowed_cidrs !== undefined && { allowed_cidrs }),
  };
  requireWithin(maker, terms);
  return terms;
}
