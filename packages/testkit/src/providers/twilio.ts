import { createHmac } from "node:crypto";
import { type SinkBehaviour, type SinkRequest, webhookSink } from "../webhook-sink.ts";

/** What Twilio can do to us. */
export type TwilioWeather =
  | { type: "accept"; delayMs?: number; early?: string }
  /** Refuses with its own code. */
  | { type: "refuse"; status: number; code?: number; message?: string; retryAfter?: string }
  /** Takes the message and never answers. */
  | { type: "hang" }
  /** Takes the message and cuts the connection. */
  | { type: "reset" }
  /** Takes the message, and answers with this. */
  | { type: "answer"; status: number; body: string; headers?: Record<string, string> };

export type TwilioMessage = {
  readonly sid: string;
  readonly form: URLSearchParams;
  readonly at: Date;
};

/** A request of Twilio's to us. */
export type TwilioCallback = {
  readonly method: "POST";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

export type TwilioDouble = Awaited<ReturnType<typeof twilioDouble>>;

/** Twilio's REST interface for messages on 127.0.0.1: it keeps what it takes, misbehaves on demand, and calls back, signed, as often and in whatever order it is told to. */
export async function twilioDouble({
  accountSid = "AC00000000000000000000000000000001",
  authToken = "twilio-auth-token",
}: { accountSid?: string; authToken?: string } = {}) {
  const messages: TwilioMessage[] = [];
  let weather: TwilioWeather = { type: "accept" };
  const path = `/2010-04-01/Accounts/${accountSid}`;
  const login = `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString("base64")}`;

  const signed = (url: string, fields: Record<string, string>): TwilioCallback =>
    signedBy(authToken, url, fields);
  /** About a message that it took, or one of which only the id is known. */
  function status(
    sid: string,
    word: string,
    more: Record<string, string> = {},
    url?: string,
  ): TwilioCallback {
    const message = messages.find((each) => each.sid === sid);
    const to = url ?? message?.form.get("StatusCallback");
    if (!to) throw new Error(`${sid} has no StatusCallback`);
    return signed(to, {
      AccountSid: accountSid,
      ApiVersion: "2010-04-01",
      From: message?.form.get("From") ?? "+15550100000",
      MessageSid: sid,
      MessageStatus: word,
      SmsSid: sid,
      SmsStatus: word,
      To: message?.form.get("To") ?? "+15550000001",
      ...more,
    });
  }
  async function answer({ method, path: asked, headers, body }: SinkRequest) {
    if (headers.authorization !== login)
      return refusal({ type: "refuse", status: 401, code: 20003, message: "Authenticate" });
    if (method === "GET" && asked === `${path}.json`)
      return json(200, { sid: accountSid, status: "active" });
    if (method !== "POST" || asked !== `${path}/Messages.json`)
      return refusal({ type: "refuse", status: 404, code: 20404, message: "Not found" });
    if (weather.type === "refuse") return refusal(weather);
    return take(new URLSearchParams(body), weather);
  }
  async function take(form: URLSearchParams, how: Exclude<TwilioWeather, { type: "refuse" }>) {
    const sid = `SM${String(messages.length + 1).padStart(32, "0")}`;
    messages.push({ sid, form, at: new Date() });
    if (how.type !== "accept") return how;
    const { delayMs, early } = how;
    if (early !== undefined) await post(status(sid, early));
    return { ...json(201, { sid, status: "queued" }), ...(delayMs && { delayMs }) };
  }

  const sink = await webhookSink();
  sink.behave(answer);
  return {
    url: sink.url,
    accountSid,
    authToken,
    /** What was taken, those with a lost answer too. */
    messages: messages as readonly TwilioMessage[],
    requests: sink.requests,
    behave: (next: TwilioWeather): void => void (weather = next),
    signed,
    status,
    post,
    close: () => sink.close(),
  };
}

/** Signed as https://www.twilio.com/docs/usage/security says, over the address as it is known there. */
function signedBy(token: string, url: string, fields: Record<string, string>): TwilioCallback {
  const names = Object.keys(fields).toSorted();
  const text = url + names.map((name) => name + fields[name]).join("");
  return {
    method: "POST",
    url,
    headers: {
      "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
      "user-agent": "TwilioProxy/1.1",
      "x-twilio-signature": createHmac("sha1", token).update(text, "utf8").digest("base64"),
    },
    body: Buffer.from(new URLSearchParams(fields).toString()),
  };
}

/** Gives the status of the answer. */
async function post({ method, url, headers, body }: TwilioCallback): Promise<number> {
  const answer = await fetch(url, { method, headers, body: new Uint8Array(body) });
  await answer.arrayBuffer();
  return answer.status;
}

const json = (status: number, body: object): SinkBehaviour & { type: "answer" } => ({
  type: "answer",
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

const refusal = ({
  status,
  code,
  message = "Refused",
  retryAfter,
}: TwilioWeather & { type: "refuse" }): SinkBehaviour => {
  const made = json(status, { status, message, ...(code !== undefined && { code }) });
  return {
    ...made,
    headers: { ...made.headers, ...(retryAfter !== undefined && { "retry-after": retryAfter }) },
  };
};
