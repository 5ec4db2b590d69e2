import type pg from "pg";

/** Those of a partner's attachments that were uploaded for no contact. */
export async function ownerlessAttachments(
  pool: pg.Pool,
  partner: string,
  ids: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>({
    name: "ingress.ownerless_attachments",
    text: `select id from mobile_attachments.attachments where id = any($1) and partner = $2 and contact_id is null order by id`,
    values: [ids, partner],
  });
  return rows.map(({ id }) => id);
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
