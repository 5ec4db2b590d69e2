import type pg from "pg";

/**
 * Marks a partner's attachments as sent: from here on none is deleted by mistake. Gives those that are there, with whether they were uploaded for a contact. One that is marked by
 * somebody else at this moment is missing from the answer, and there at the next call.
 */
export async function markSent(
  pool: pg.Pool,
  partner: string,
  ids: readonly string[],
): Promise<readonly { readonly id: string; readonly owned: boolean }[]> {
  const { rows } = await pool.query<{ id: string; owned: boolean }>({
    name: "ingress.mark_sent",
    // In the order of ids, so that two sends of the same files never wait for each other.
    text: `with own as (select id, contact_id is not null as owned, sent_at from mobile_attachments.attachments
        where id = any($1) and partner = $2 and status = 'ready'),
      locked as (select id from mobile_attachments.attachments
        where id = any($1) and partner = $2 and status = 'ready' and sent_at is null order by id for update),
      marked as (update mobile_attachments.attachments a set sent_at = clock_timestamp() from locked where a.id = locked.id returning a.id)
      select id, owned from own where sent_at is not null or id in (select id from marked)`,
    values: [ids, partner],
  });
  return rows;
}

/** A partner's attachments that are complete; `name` is sealed. Their tables are those of `services/mobile`. */
export async function readyAttachments(
  pool: pg.Pool,
  partner: string,
  ids: readonly string[],
): Promise<
  readonly {
    readonly id: string;
    readonly key: string;
    readonly name: string | null;
    readonly type: string;
    readonly bytes: number;
  }[]
> {
  const { rows } = await pool.query({
    name: "ingress.attachments",
    text: `select id, key, name, type, bytes::float8 as bytes from mobile_attachments.attachments
      where id = any($1) and partner = $2 and status = 'ready'`,
    values: [ids, partner],
  });
  return rows;
}
