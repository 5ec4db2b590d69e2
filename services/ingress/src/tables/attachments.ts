import type pg from "pg";

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
