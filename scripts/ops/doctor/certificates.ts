import { isIP } from "node:net";
import { connect } from "node:tls";
import { environments } from "@heliograph/contracts";
import { messageOf, type Settings } from "@heliograph/runtime";
import { together, type Finding, type OpenPlace, type Status } from "./check.ts";

/** Who renews automatically does so a month before the end. */
const soonMs = 21 * 86_400_000;
const lastMs = 7 * 86_400_000;
const connectMs = 5_000;
/** Schemes whose connections begin with TLS, and their ports. STARTTLS begins in plain and is not looked at. */
const ports: Readonly<Record<string, number>> = { "https:": 443, "smtps:": 465, "smpps:": 3550 };
/** Of the addresses that gateways have; a settings object may hold long texts. */
const mostPlaces = 100;

export type TlsPlace = { readonly host: string; readonly port: number; readonly what: string };

/** Where a text leads to a server with a certificate; nothing where it does not. */
export function placeOf(text: string | undefined, what: string): readonly TlsPlace[] {
  if (text === undefined || text.length > 2_000 || !URL.canParse(text)) return [];
  const { protocol, hostname, port } = new URL(text);
  const preset = ports[protocol];
  if (preset === undefined || hostname === "") return [];
  return [
    { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? preset : Number(port), what },
  ];
}

/** The addresses of the settings whose certificates somebody has to renew. */
export const configuredPlaces = (settings: Settings): readonly TlsPlace[] => [
  ...placeOf(settings.publicUrl, "HELIOGRAPH_PUBLIC_URL"),
  ...placeOf(settings.siteUrl, "HELIOGRAPH_SITE_URL"),
  ...placeOf(settings.apiUrl, "HELIOGRAPH_API_URL"),
  ...placeOf(settings.attachmentsUrl, "HELIOGRAPH_ATTACHMENTS_URL"),
  ...placeOf(settings.mailUrl, "HELIOGRAPH_MAIL_URL"),
  ...settings.smtpUrls.flatMap((url) => placeOf(url, "HELIOGRAPH_SMTP_URL")),
  ...(settings.kafka?.tls === true
    ? settings.kafka.brokers.map((broker) => ({
        host: broker.slice(0, broker.lastIndexOf(":")).replace(/^\[|\]$/g, ""),
        port: Number(broker.slice(broker.lastIndexOf(":") + 1)),
        what: "HELIOGRAPH_KAFKA_BROKERS",
      }))
    : []),
];

async function gatewayPlaces({ directory }: OpenPlace): Promise<readonly TlsPlace[]> {
  const known = await directory();
  return environments.flatMap((environment) =>
    known
      .gateways(environment)
      .filter(({ enabled }) => enabled)
      .flatMap(({ name, settings }) =>
        Object.values(settings).flatMap((value) =>
          typeof value === "string" ? placeOf(value, `${environment} gateway ${name}`) : [],
        ),
      ),
  );
}

/** When the certificate of a server ends, epoch ms, and why its authority is not believed here, where it is not. Rejects where it cannot be had. */
export function certificateOf({
  host,
  port,
}: Pick<TlsPlace, "host" | "port">): Promise<{ endsAt: number; distrust: string | undefined }> {
  return new Promise((resolve, reject) => {
    const name = isIP(host) === 0 ? { servername: host } : {};
    // The date is wanted of a certificate that nobody trusts, too: it is not used for anything else.
    const socket = connect({ host, port, ...name, rejectUnauthorized: false });
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(connectMs, () => fail(new Error(`no answer within ${connectMs / 1_000} s`)));
    socket.once("error", fail);
    socket.once("secureConnect", () => {
      const { valid_to: end } = socket.getPeerCertificate();
      const error = socket.authorized ? undefined : String(socket.authorizationError);
      socket.destroy();
      resolve({ endsAt: Date.parse(end), distrust: error });
    });
  });
}

export function ofCertificate(
  leftMs: number,
  distrust: string | undefined,
): {
  readonly status: Status;
  readonly words: string;
} {
  const days = Math.floor(leftMs / 86_400_000);
  if (Number.isNaN(leftMs)) return { status: "failed", words: "its certificate has no end" };
  if (leftMs <= 0) return { status: "failed", words: "its certificate has ended" };
  const words = `its certificate ends in ${days} days`;
  if (leftMs < lastMs) return { status: "failed", words };
  if (leftMs < soonMs) return { status: "warning", words };
  return distrust === undefined
    ? { status: "ok", words }
    : { status: "warning", words: `${words}, and is not trusted here (${distrust})` };
}

export async function lookAtCertificates(place: OpenPlace): Promise<Finding> {
  const all = [...configuredPlaces(place.settings), ...(await gatewayPlaces(place))];
  const places = [...new Map(all.map((each) => [`${each.host} ${each.port}`, each])).values()];
  if (places.length === 0)
    return { status: "skipped", summary: "no address with TLS is configured" };
  const parts = await Promise.all(
    places.slice(0, mostPlaces).map(async (each) => {
      const at = `${each.host}:${each.port} (${each.what})`;
      try {
        const { endsAt, distrust } = await certificateOf(each);
        const { status, words } = ofCertificate(endsAt - place.now, distrust);
        return { status, text: `${at}: ${words}` };
      } catch (error) {
        return { status: "warning" as const, text: `${at}: ${messageOf(error)}` };
      }
    }),
  );
  return together(`certificates of ${parts.length} addresses`, parts);
}
