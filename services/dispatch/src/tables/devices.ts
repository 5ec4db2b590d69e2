import type pg from "pg";

/** The token of a partner's device, sealed; undefined where there is none. `services/mobile`, whose devices they are, answers by a function of its schema. */
export async function sealedDeviceToken(
  pool: pg.Pool,
  partner: string,
  id: string,
): Promise<string | undefined> {
  const { rows } = await pool.query<{ token: string | null }>({
    name: "dispatch.device_token",
    text: "select mobile_devices.token_of($1, $2) as token",
    values: [id, partner],
  });
  return rows[0]?.token ?? undefined;
}
