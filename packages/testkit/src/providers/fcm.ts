import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { type SinkBehaviour, type SinkRequest, webhookSink } from "../webhook-sink.ts";

/** What FCM can do to us. */
export type FcmWeather =
  | { type: "accept" }
  | FcmRefusal
  /** Takes the message and never answers. */
  | { type: "hang" }
  /** Takes the message and cuts the connection. */
  | { type: "reset" }
  /** Takes the message, and answers with this. */
  | { type: "answer"; status: number; body: string };
export type FcmRefusal = {
  type: "refuse";
  status: number;
  /** Of Google's interfaces, such as `NOT_FOUND`. */
  word: string;
  /** FCM's own. */
  errorCode?: string;
  /** The field that is wrong. */
  field?: string;
  message?: string;
  retryAfter?: string;
};
/** What the token endpoint can do. `grants`: it gives tokens that live so long. */
export type FcmTokenWeather =
  | { type: "grants"; expiresIn: number }
  | { type: "answer"; status: number; body: string; retryAfter?: string }
  | { type: "hang" };

export type FcmMessage = {
  readonly name: string;
  readonly message: Readonly<Record<string, unknown>>;
  /** The access token that it came with. */
  readonly by: string;
};
export type FcmDouble = Awaited<ReturnType<typeof fcmDouble>>;

let pair: { readonly publicKey: string; readonly privateKey: string } | undefined;
/** One for the process: a pair of RSA takes a tenth of a second. */
const keyPair = () =>
  (pair ??= generateKeyPairSync("rsa", {
    modulusLength: 2_048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  }));

const scope = "https://www.googleapis.com/auth/firebase.messaging";

/** FCM's HTTP v1 interface and the token endpoint on 127.0.0.1. It lets in whom its own tokens prove, gives those for assertions that the service account signed, and keeps what it takes. */
export async function fcmDouble({ projectId = "shop-1234" }: { projectId?: string } = {}) {
  const { publicKey, privateKey } = keyPair();
  const messages: FcmMessage[] = [];
  const granted: string[] = [];
  const valid = new Set<string>();
  let weather: FcmWeather = { type: "accept" };
  let tokens: FcmTokenWeather = { type: "grants", expiresIn: 3_600 };

  const sink = await webhookSink();
  const email = `push@${projectId}.iam.gserviceaccount.com`;
  function grant(body: string): SinkBehaviour {
    if (tokens.type === "hang") return tokens;
    if (tokens.type === "answer") return text(tokens.status, tokens.body, tokens.retryAfter);
    const form = new URLSearchParams(body);
    const why = faultIn(form.get("assertion") ?? "", {
      publicKey,
      email,
      aud: `${sink.url}/token`,
    });
    if (form.get("grant_type") !== "urn:ietf:params:oauth:grant-type:jwt-bearer" || why)
      return json(400, { error: "invalid_grant", error_description: why ?? "wrong grant_type" });
    const token = `ya29.c.fcm-token-${granted.length + 1}`;
    granted.push(token);
    valid.add(token);
    return json(200, { access_token: token, expires_in: tokens.expiresIn, token_type: "Bearer" });
  }
  function answer({ method, path, headers, body }: SinkRequest): SinkBehaviour {
    if (path === "/token") return grant(body);
    const [, project] = /^\/v1\/projects\/([^/]+)\/messages:send$/.exec(path) ?? [];
    if (method !== "POST" || project !== projectId)
      return refusal({ type: "refuse", status: 404, word: "NOT_FOUND" });
    const by = (headers.authorization ?? "").replace(/^Bearer /, "");
    if (!valid.has(by)) return refusal({ type: "refuse", status: 401, word: "UNAUTHENTICATED" });
    const { message, validate_only: isTrial = false } = JSON.parse(body) as {
      readonly message: FcmMessage["message"];
      readonly validate_only?: boolean;
    };
    if (weather.type === "refuse") return refusal(weather);
    const fault = wrongIn(message);
    if (fault !== undefined) return refusal(fault);
    const name = `projects/${projectId}/messages/0:${messages.length + 1}%7a`;
    if (!isTrial) messages.push({ name, message, by });
    return weather.type === "accept" ? json(200, { name }) : weather;
  }
  sink.behave(answer);
  return {
    url: sink.url,
    projectId,
    /** The key file, as it is downloaded. */
    serviceAccount: JSON.stringify(keyFile(projectId, email, privateKey, `${sink.url}/token`)),
    messages: messages as readonly FcmMessage[],
    /** Access tokens that were given, in order. */
    granted: granted as readonly string[],
    /** How often one was asked for. */
    get asked(): number {
      return sink.requests.filter(({ path }) => path === "/token").length;
    },
    /** From now on no token that was given lets anybody in. */
    revokeAll: (): void => valid.clear(),
    behave: (next: FcmWeather): void => void (weather = next),
    tokens: (next: FcmTokenWeather): void => void (tokens = next),
    close: () => sink.close(),
  };
}

const keyFile = (
  project_id: string,
  client_email: string,
  private_key: string,
  token_uri: string,
) => ({
  type: "service_account",
  project_id,
  private_key_id: "0f1e2d3c",
  private_key,
  client_email,
  token_uri,
});

/** Why an assertion proves nothing. */
function faultIn(
  assertion: string,
  { publicKey, email, aud }: { publicKey: string; email: string; aud: string },
): string | undefined {
  const [head = "", claims = "", signature = ""] = assertion.split(".");
  const { alg } = decoded(head);
  const key = createPublicKey(publicKey);
  const signed = Buffer.from(`${head}.${claims}`);
  if (alg !== "RS256" || !verify("sha256", signed, key, Buffer.from(signature, "base64url")))
    return "Invalid JWT Signature.";
  const { iss, iat, exp, ...others } = decoded(claims);
  const now = Date.now() / 1_000;
  if (iss !== email || others["scope"] !== scope || others["aud"] !== aud) return "Invalid claims.";
  const isNow = Math.abs(now - Number(iat)) < 300 && Number(exp) - Number(iat) <= 3_600;
  return isNow && Number(exp) > now ? undefined : "Invalid JWT: iat and exp.";
}

const decoded = (part: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(part, "base64url").toString("utf8") || "{}");

/** What FCM would not take in a message. */
function wrongIn({ token, topic, data = {} }: FcmMessage["message"]): FcmRefusal | undefined {
  const wrong = { type: "refuse", status: 400, word: "INVALID_ARGUMENT" } as const;
  if (token === undefined && topic === undefined)
    return {
      ...wrong,
      errorCode: "INVALID_ARGUMENT",
      message: "Recipient of the message is not set.",
    };
  const [key] = Object.entries(data as object).find(
    ([name, value]) => typeof value !== "string" || /^(from$|message_type$|google|gcm)/.test(name),
  ) ?? [undefined];
  return key === undefined ? undefined : { ...wrong, field: `message.data[${key}]` };
}

const text = (status: number, body: string, retryAfter?: string): SinkBehaviour => ({
  type: "answer",
  status,
  headers: {
    "content-type": "application/json; charset=UTF-8",
    ...(retryAfter !== undefined && { "retry-after": retryAfter }),
  },
  body,
});
const json = (status: number, body: object, retryAfter?: string): SinkBehaviour =>
  text(status, JSON.stringify(body), retryAfter);

function refusal({
  status,
  word,
  errorCode,
  field,
  message = "Refused.",
  retryAfter,
}: FcmRefusal): SinkBehaviour {
  const own = { "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", errorCode };
  const bad = {
    "@type": "type.googleapis.com/google.rpc.BadRequest",
    fieldViolations: [{ field, description: message }],
  };
  const details = [...(errorCode ? [own] : []), ...(field ? [bad] : [])];
  return json(status, { error: { code: status, message, status: word, details } }, retryAfter);
}
