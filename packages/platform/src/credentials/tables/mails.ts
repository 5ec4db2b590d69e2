import type { WritePart } from "@heliograph/runtime";
import type pg from "pg";

/** Adds a mail that waits; one that waits already stays as it is. */
export const mailPart = (id: string, sealed: string): WritePart => ({
  name: "credentials_mail",
  sql: "insert into credentials.mails (id, sealed) values ($1::uuid, $2::text) on conflict do nothing",
  values: [id, sealed],
});

export async function addMail(client: pg.ClientBase, id: string, sealed: string): Promise<void> {
  const { name, sql: text, values } = mailPart(id, sealed);
  await client.query({ name, text, values: [...values] });
}

export type WaitingMail = { readonly id: string; readonly sealed: string; readonly tries: number };

/** Takes a mail that is due; nobody else gets it for so long. */
export async function takeMail(
  pool: pg.Pool,
  leaseSeconds: number,
): Promise<WaitingMail | undefined> {
  const { rows } = await pool.query<WaitingMail>({
    name: "credentials.take_mail",
    text: `update credentials.mails set tries = tries + 1, due_at = now() + make_interval(secs => $1)
      where id = (select id from credentials.mails where due_at <= now() order by due_at limit 1 for update skip locked)
      returning id, sealed, tries`,
    values: [leaseSeconds],
  });
  return rows[0];
}

export async function postponeMail(pool: pg.Pool, id: string, seconds: number): Promise<void> {
  await pool.query({
    name: "credentials.postpone_mail",
    text: "update credentials.mails set due_at = now() + make_interval(secs => $2) where id = $1",
    values: [id, seconds],
  });
}

export async function dropMail(pool: pg.Pool, id: string): Promise<void> {
  await pool.query({
    name: "credentials.drop_mail",
    text: "delete from credentials.mails where id = $1",
    values: [id],
  });
}

/** Drops what has run its time: tokens after a month, limits that are full again, places that nobody signed in from for three months. */
export async function purgeCredentials(pool: pg.Pool): Promise<void> {
  await pool.query("delete from credentials.tokens where expires_at < now() - interval '30 days'");
  await pool.query("delete from credentials.limits where tat < now()");
  await pool.query("delete from credentials.places where at < now() - interval '90 days'");
}
