import { postRequest } from "./load.ts";

/** The nth message of a partner as bytes on the wire. */
export const sms = (
  key: string,
  n: number,
  headers: Readonly<Record<string, string>> = {},
): string =>
  postRequest(
    "127.0.0.1",
    "/api/v1/messages",
    { authorization: `Bearer ${key}`, ...headers },
    JSON.stringify({
      channel: "sms",
      to: `+1555${String(2_001_000 + (n % 5_000))}`,
      text: "Your order is on its way.",
    }),
  );
