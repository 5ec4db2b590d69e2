import { createHmac } from "node:crypto";
import { type SinkBehaviour, type SinkRequest, webhookSink } from "../webhook-sink.ts";

/** What the Cloud API can do to us. */
export type WhatsappWeather =
  | { type: "accept" }
  | { type: "refuse"; status: number; code: number; message?: string; retryAfter?: string }
  /** Takes the message and never answers. */
  | { type: "hang" }
  /** Takes the message and cuts the connection. */
  | { type: "reset" }
  /** Takes the message, and answers with this. */
  | { type: "answer"; status: number; body: string };

export type WhatsappMessage = {
  readonly wamid: string;
  readonly body: Readonly<Record<string, unknown>>;
};
export type WhatsappDouble = Awaited<ReturnType<typeof whatsappDouble>>;

/** The WhatsApp Cloud API of one number on 127.0.0.1: it keeps what it takes, misbehaves on demand, and signs what it posts. */
export async function whatsappDouble({
  phoneNumberId = "106540352242922",
  accessToken = "EAAJB-whatsapp-token",
  appSecret = "whatsapp-app-secret",
  verifyToken = "whatsapp-verify-token",
} = {}) {
  const messages: WhatsappMessage[] = [];
  /** Files of people by their ids. `at`: the address that is given for one, where it is not here. */
  const files = new Map<string, { readonly content: string; readonly at?: string }>();
  /** How many further times the API fails when it is asked for a file. */
  let failures = 0;
  let weather: WhatsappWeather = { type: "accept" };

  function answer({ method, path, headers, body }: SinkRequest): SinkBehaviour {
    if (headers.authorization !== `Bearer ${accessToken}`)
      return refusal({ type: "refuse", status: 401, code: 190, message: "Invalid access token" });
    const file = files.get(/^\/files\/(\w+)$/.exec(path)?.[1] ?? "");
    if (file !== undefined) return { type: "answer", status: 200, body: file.content };
    const asked = /^\/v\d+\.\d+\/(\w+)\?phone_number_id=(\d+)$/.exec(path);
    if (asked !== null) return addressOf(asked[1]!);
    const [, id, rest] = /^\/v\d+\.\d+\/(\d+)(.*)$/.exec(path) ?? [];
    if (id !== phoneNumberId) return refusal({ type: "refuse", status: 400, code: 33 });
    if (method === "GET") return json(200, { id: phoneNumberId });
    if (rest !== "/messages") return refusal({ type: "refuse", status: 404, code: 100 });
    if (weather.type === "refuse") return refusal(weather);
    return take(JSON.parse(body) as WhatsappMessage["body"]);
  }
  function addressOf(id: string): SinkBehaviour {
    const file = files.get(id);
    if (failures > 0) {
      failures--;
      return refusal({ type: "refuse", status: 500, code: 1 });
    }
    if (file === undefined) return refusal({ type: "refuse", status: 400, code: 100 });
    const url = file.at ?? `${sink.url}/files/${id}`;
    const file_size = Buffer.byteLength(file.content);
    return json(200, { messaging_product: "whatsapp", url, id, file_size });
  }
  function take(body: WhatsappMessage["body"]): SinkBehaviour {
    const wamid = `wamid.HBgL${String(messages.length + 1).padStart(8, "0")}`;
    messages.push({ wamid, body });
    if (weather.type !== "accept") return weather as SinkBehaviour;
    const to = String(body["to"]);
    return json(200, {
      messaging_product: "whatsapp",
      contacts: [{ input: to, wa_id: to }],
      messages: [{ id: wamid, message_status: "accepted" }],
    });
  }
  const posts = metaPosts(appSecret, phoneNumberId);
  const sink = await webhookSink();
  sink.behave(answer);
  return {
    url: sink.url,
    phoneNumberId,
    accessToken,
    appSecret,
    verifyToken,
    messages: messages as readonly WhatsappMessage[],
    requests: sink.requests,
    files,
    failFiles: (times: number): void => void (failures = times),
    behave: (next: WhatsappWeather): void => void (weather = next),
    ...posts,
    close: () => sink.close(),
  };
}

/** What Meta posts about a number, signed as it signs. */
function metaPosts(appSecret: string, phoneNumberId: string) {
  const signed = (url: string, content: object | string) => {
    const body = Buffer.from(typeof content === "string" ? content : JSON.stringify(content));
    const signature = createHmac("sha256", appSecret).update(body).digest("hex");
    const headers = {
      "content-type": "application/json",
      "x-hub-signature-256": `sha256=${signature}`,
    };
    return { method: "POST" as const, url, headers, body };
  };
  const head = {
    messaging_product: "whatsapp",
    metadata: { display_phone_number: "1 555-010-0000", phone_number_id: phoneNumberId },
  };
  /** One post with these values, each as one change of the field `messages`. */
  const values = (url: string, ...all: readonly object[]) =>
    signed(url, {
      object: "whatsapp_business_account",
      entry: all.map((value) => ({
        id: "102290129340398",
        changes: [{ field: "messages", value: { ...head, ...value } }],
      })),
    });
  const status = (url: string, wamid: string, word: string, more: object = {}) =>
    values(url, { statuses: [{ id: wamid, status: word, timestamp: "1700000000", ...more }] });
  return { signed, values, status };
}

const json = (
  status: number,
  body: object,
  headers: Record<string, string> = {},
): SinkBehaviour => ({
  type: "answer",
  status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});

const refusal = ({
  status,
  code,
  message = "Refused",
  retryAfter,
}: WhatsappWeather & { type: "refuse" }): SinkBehaviour =>
  json(
    status,
    { error: { message: `(#${code}) ${message}`, type: "OAuthException", code } },
    retryAfter === undefined ? {} : { "retry-after": retryAfter },
  );
