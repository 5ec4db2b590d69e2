import { gatewayKind } from "../descriptor.ts";
import { createWhatsappGateway } from "./connector.ts";
import { whatsappErrors } from "./errors.ts";
import { whatsappFile } from "./files.ts";
import { whatsappInbound } from "./inbound.ts";
import { WhatsappSecrets, WhatsappSettings } from "./settings.ts";
import { verifyWhatsapp } from "./signature.ts";
import { readWhatsapp } from "./webhook.ts";

/** Messages of a business number over the WhatsApp Cloud API: approved templates, and free texts while a person's window is open. */
export const whatsapp = gatewayKind({
  kind: "whatsapp_cloud",
  channels: ["whatsapp"],
  environments: ["live"],
  settings: WhatsappSettings,
  secrets: WhatsappSecrets,
  errors: whatsappErrors,
  create: createWhatsappGateway,
  callbacks: {
    verify: (request, { secrets }) => verifyWhatsapp(request, secrets),
    read: readWhatsapp,
  },
  inbound: whatsappInbound,
  fileOf: whatsappFile,
  // Both are built into its connections.
  rebuiltBy: ["max_concurrent", "timeout_ms"],
  // There is no way to ask by a reference of ours.
  asks: false,
  hasBreaker: true,
});
