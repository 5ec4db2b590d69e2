import type pg from "pg";

/**
 * Marks a partner's attachments as sent: from here on none is deleted by mistake, and until that time none for its age. Gives those that are there, with whether they were uploaded for a contact. One that is marked by
 * somebody else at this moment is missing from the answer, and there at the next call. `services/mobile`, whose attachments they are, answers by functions of its schema, here and below.
 */
export async function markSent(
  pool: pg.Pool,
  partner: string,
  ids: readonly string[],
  until: Date,
): Promise<readonly { readonly id: string; readonly owned: boolean }[]> {
  const { rows } = await pool.query<{ id: string; owned: boolean }>({
    name: "ingress.mark_sent",
    text: "select id, owned from mobile_attachments.mark_sent($1, $2, $3)",
    values: [ids, partner, until],
  });
  return rows;
}

/** A partner's attachments that are complete; `name` is sealed. */
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
    text: "select id, key, name, type, bytes::float8 as bytes from mobile_attachments.ready_of($1, $2)",
    values: [ids, partner],
  });
  return rows;
}
