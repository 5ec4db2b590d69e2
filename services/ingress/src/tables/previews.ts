import { randomUUID } from "node:crypto";
import { PublicError } from "@heliograph/contracts";
import type { OwnTables } from "@heliograph/runtime";
import type pg from "pg";

/** Whose broadcasts are previewed at the moment, by whichever process. */
export const previewTables: OwnTables = {
  schema: "broadcast_previews",
  migrations: [
    `create table broadcast_previews.running (
  partner text primary key,
  owner uuid not null,
  until timestamptz not null
);`,
  ],
};

/** Whoever makes one shows itself after each page of contacts: after so long it is gone. */
const staleSeconds = 30;

/** Does something that a partner has one of at a time. `alive` is to be called now and then. Throws `rate_limited` while another goes on. */
export async function alone<T>(
  pool: pg.Pool,
  partner: string,
  work: (alive: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const owner = randomUUID();
  const until = `now() + interval '${staleSeconds} seconds'`;
  const { rowCount } = await pool.query({
    name: "previews.claim",
    text: `insert into broadcast_previews.running as r (partner, owner, until) values ($1, $2, ${until})
      on conflict (partner) do update set owner = excluded.owner, until = excluded.until where r.until < now()`,
    values: [partner, owner],
  });
  if (rowCount === 0)
    throw new PublicError(
      "rate_limited",
      "Another preview of yours goes on: wait for its answer.",
      {
        retryAfterSeconds: 1,
      },
    );
  const own = { values: [partner, owner] };
  try {
    return await work(async () => {
      const text = `update broadcast_previews.running set until = ${until} where partner = $1 and owner = $2`;
      await pool.query({ name: "previews.alive", text, ...own });
    });
  } finally {
    const text = "delete from broadcast_previews.running where partner = $1 and owner = $2";
    // Where that fails the row is over by itself.
    await pool.query({ name: "previews.over", text, ...own }).catch(() => undefined);
  }
}
