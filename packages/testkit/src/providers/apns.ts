import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import {
  constants,
  createSecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { selfSignedCertificate } from "../certificate.ts";

/** What APNs can do to us. */
export type ApnsWeather =
  | { type: "accept" }
  | { type: "refuse"; status: number; reason: string; timestamp?: number; retryAfter?: string }
  /** Takes the notification and never answers. */
  | { type: "hang" }
  /** Takes the notification and cuts the connection. */
  | { type: "reset" }
  /** Takes the notification, and answers with this and no id. */
  | { type: "answer"; status: number; body: string }
  /** Says GOAWAY before it looks at the notification, and leaves the connection open. */
  | { type: "goaway" }
  /** Closes the stream with REFUSED_STREAM before it looks at the notification, so many times. */
  | { type: "refuse_stream"; times: number };

export type ApnsNotification = {
  readonly device: string;
  readonly headers: IncomingHttpHeaders;
  readonly payload: Readonly<Record<string, unknown>>;
  /** The provider token that it came with. */
  readonly by: string;
};
export type ApnsDouble = Awaited<ReturnType<typeof apnsDouble>>;

let certificate: Promise<{ readonly key: string; readonly certificate: string }> | undefined;
/** One for the process. */
const ownCertificate = () =>
  (certificate ??= selfSignedCertificate().then(async (made) => {
    await made.remove();
    return made;
  }));

type Answer = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, body: string) => void;

/** HTTP/2 behind TLS on localhost, and what went on there. */
async function listen(answer: Answer, moods: { leaves(): boolean; refuses(): boolean }) {
  const { key, certificate: cert } = await ownCertificate();
  const sessions = new Set<ServerHttp2Session>();
  /** Those that were told to go: nothing more is looked at on them. */
  const left = new WeakSet<object>();
  const counts = { opened: 0, underWay: 0, mostUnderWay: 0 };
  const server = createSecureServer({ key, cert, settings: { maxConcurrentStreams: 100 } });
  server.on("session", (session) => {
    counts.opened++;
    sessions.add(session);
    session.on("close", () => sessions.delete(session)).on("error", () => undefined);
  });
  server.on("stream", (stream, headers) => {
    counts.mostUnderWay = Math.max(counts.mostUnderWay, ++counts.underWay);
    stream.on("close", () => counts.underWay--).on("error", () => undefined);
    const session = stream.session!;
    if (moods.refuses()) return stream.close(constants.NGHTTP2_REFUSED_STREAM);
    if (moods.leaves()) {
      left.add(session);
      // The streams before this one are looked at, this one and later ones are not.
      session.goaway(constants.NGHTTP2_NO_ERROR, stream.id! - 2);
    }
    if (!left.has(session)) void bodyOf(stream).then((body) => answer(stream, headers, body));
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    /** Who trusts it reaches the double. */
    certificate: cert,
    /** Connections that there were, and the most streams at once. */
    counts,
    /** Most streams at once, told on every connection; those under way are counted anew. */
    allow(maxConcurrentStreams: number): void {
      counts.mostUnderWay = 0;
      for (const session of sessions) session.settings({ maxConcurrentStreams });
    },
    close(): Promise<void> {
      for (const session of sessions) session.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** APNs of one app: it lets in whom a token proves that is no older than an hour, keeps what it takes, and misbehaves on demand. */
export async function apnsDouble({
  teamId = "DEF123GHIJ",
  keyId = "ABC123DEFG",
  topic = "com.example.shop",
}: { teamId?: string; keyId?: string; topic?: string } = {}) {
  const { publicKey, privateKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const notifications: ApnsNotification[] = [];
  const expired = new Set<string>();
  const seen = new Set<string>();
  let weather: ApnsWeather = { type: "accept" };

  const answer: Answer = (stream, headers, body) => {
    const by = (headers.authorization ?? "").replace(/^bearer /, "");
    const [, device = ""] = /^\/3\/device\/([0-9a-f]*)$/i.exec(headers[":path"] ?? "") ?? [];
    if (headers[":method"] !== "POST" || device === "") return refuse(stream, 404, "BadPath");
    const refused = expired.has(by)
      ? "ExpiredProviderToken"
      : faultIn(by, { publicKey, teamId, keyId });
    if (refused !== undefined) return refuse(stream, 403, refused);
    seen.add(by);
    if (weather.type === "refuse") return refuse(stream, weather.status, weather.reason, weather);
    const wrong = wrongIn(headers, body, topic);
    if (wrong !== undefined) return refuse(stream, ...wrong);
    if (/^0+$/.test(device)) return refuse(stream, 400, "BadDeviceToken");
    notifications.push({ device, headers, payload: JSON.parse(body), by });
    if (weather.type === "hang") return;
    if (weather.type === "reset") return stream.session?.destroy();
    if (weather.type === "answer") {
      stream.respond({ ":status": weather.status });
      return void stream.end(weather.body);
    }
    stream.respond({ ":status": 200, "apns-id": headers["apns-id"] ?? "" }, { endStream: true });
  };
  const place = await listen(answer, {
    /** Once: who comes back is welcome. */
    leaves() {
      if (weather.type !== "goaway") return false;
      weather = { type: "accept" };
      return true;
    },
    refuses() {
      if (weather.type !== "refuse_stream") return false;
      const { times } = weather;
      weather = times > 1 ? { ...weather, times: times - 1 } : { type: "accept" };
      return true;
    },
  });
  return {
    ...place,
    url: `https://localhost:${place.port}`,
    teamId,
    keyId,
    topic,
    /** The key file, as it is downloaded. */
    key: privateKey,
    notifications: notifications as readonly ApnsNotification[],
    /** Provider tokens that have let somebody in. */
    seen: seen as ReadonlySet<string>,
    behave: (next: ApnsWeather): void => void (weather = next),
    /** The tokens that have let somebody in are too old from now on. */
    expireTokens(): void {
      for (const token of seen) expired.add(token);
    },
  };
}

async function bodyOf(stream: ServerHttp2Stream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function refuse(
  stream: ServerHttp2Stream,
  status: number,
  reason: string,
  { timestamp, retryAfter }: { readonly timestamp?: number; readonly retryAfter?: string } = {},
): void {
  stream.respond({ ":status": status, ...(retryAfter && { "retry-after": retryAfter }) });
  stream.end(JSON.stringify({ reason, ...(timestamp !== undefined && { timestamp }) }));
}

/** Why a provider token lets nobody in. */
function faultIn(
  token: string,
  { publicKey, teamId, keyId }: { publicKey: string; teamId: string; keyId: string },
): string | undefined {
  if (token === "") return "MissingProviderToken";
  const [head = "", claims = "", signature = ""] = token.split(".");
  const { alg, kid } = decoded(head);
  const key = { key: createPublicKey(publicKey), dsaEncoding: "ieee-p1363" } as const;
  const signed = Buffer.from(`${head}.${claims}`);
  const isSigned = verify("sha256", signed, key, Buffer.from(signature, "base64url"));
  const { iss, iat } = decoded(claims);
  if (alg !== "ES256" || kid !== keyId || iss !== teamId || !isSigned)
    return "InvalidProviderToken";
  const age = Date.now() / 1_000 - Number(iat);
  return age > -300 && age < 3_600 ? undefined : "ExpiredProviderToken";
}

const decoded = (part: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(part, "base64url").toString("utf8") || "{}");

/** What APNs would not take in a notification. */
function wrongIn(
  headers: IncomingHttpHeaders,
  body: string,
  topic: string,
): [status: number, reason: string] | undefined {
  if (headers["apns-topic"] !== topic) return [400, "TopicDisallowed"];
  if (Buffer.byteLength(body) > 4_096) return [413, "PayloadTooLarge"];
  if (body === "") return [400, "PayloadEmpty"];
  const { "apns-id": id, "apns-collapse-id": collapse = "", "apns-push-type": type } = headers;
  if (id !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(String(id)))
    return [400, "BadMessageId"];
  if (Buffer.byteLength(String(collapse)) > 64) return [400, "BadCollapseId"];
  if (!["1", "5", "10"].includes(String(headers["apns-priority"]))) return [400, "BadPriority"];
  return type === "alert" ? undefined : [400, "InvalidPushType"];
}
