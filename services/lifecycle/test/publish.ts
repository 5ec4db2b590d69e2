import type { World } from "@heliograph/testkit/world";

/** Writes the feed as services/lifecycle does: events and counter in one statement. */
export async function publish(
  world: World,
  bodyOf: (sequence: number, type: string) => string,
  partner: string,
  from: number,
  types: readonly string[],
): Promise<void> {
  await world.platform.contexts.sandbox.projectionPool.query(
    `with e as (insert into lifecycle.events (partner, sequence, position, type, body)
       select $1, s, s, t, b from unnest($2::bigint[], $3::text[], $4::text[]) as x(s, t, b))
     insert into lifecycle.sequences values ($1, $5) on conflict (partner) do update set sequence = excluded.sequence`,
    [
      partner,
      types.map((_, index) => from + index),
      types,
      types.map((type, index) => bodyOf(from + index, type)),
      from + types.length - 1,
    ],
  );
}
