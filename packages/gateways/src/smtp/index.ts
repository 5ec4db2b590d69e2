import { gatewayKind } from "../descriptor.ts";
import { readWhatCame, toldThrough, verifyEvents } from "./events.ts";
import { createSmtpGateway } from "./gateway.ts";
import { mailInbound } from "./inbound.ts";
import { smtpErrors } from "./errors.ts";
import { mailKeys } from "./server-ids.ts";
import { SmtpSecrets, SmtpSettings, smtpFault, splitUrl } from "./settings.ts";
import { mailDomains, takenAddress } from "./taken.ts";

/** A mail server that takes messages for others. */
export const smtp = gatewayKind({
  kind: "smtp",
  channels: ["email"],
  environments: ["live"],
  settings: SmtpSettings,
  secrets: SmtpSecrets,
  errors: smtpErrors,
  fault: smtpFault,
  create: createSmtpGateway,
  callbacks: {
    calls: ({ events }) => events !== undefined,
    verify: (request, { settings }) => verifyEvents(request, settings),
    toldThrough,
    read: readWhatCame,
    idKeys: mailKeys,
  },
  inbound: mailInbound,
  takesMail: takenAddress,
  mailDomains,
  // Both are built into the pool of connections.
  rebuiltBy: ["max_concurrent", "timeout_ms"],
  asks: false,
  hasBreaker: true,
  declared: ({ smtpUrls }) =>
    smtpUrls.map((url, index) => {
      const { settings, secrets } = splitUrl(url);
      return {
        environment: "live",
        name: `smtp-${index + 1}`,
        channel: "email",
        on_uncertain: "at_most_once",
        settings,
        secrets,
        variable: `HELIOGRAPH_SMTP_URL: entry ${index + 1}`,
        weight: Math.max(1, 100 - index),
        max_concurrent: 16,
        timeout_ms: 30_000,
      };
    }),
  // Before credentials were sealed, a configuration named an entry of HELIOGRAPH_SMTP_URL.
  earlier: ({ smtp_url_index: index }, declared) =>
    typeof index === "number" ? declared[index] : undefined,
});
