import { gatewayKind } from "../descriptor.ts";
import { readSmpp } from "./callbacks.ts";
import { smppErrors } from "./errors.ts";
import { createSmppGateway } from "./gateway.ts";
import { smppIdKeys, smppPartOf } from "./ids.ts";
import { smppInbound } from "./inbound.ts";
import { languagesOf, smppFault, SmppSecrets, SmppSettings } from "./settings.ts";

/** A message centre of a carrier or of whoever speaks like one: SMPP 3.4. */
export const smpp = gatewayKind({
  kind: "smpp",
  channels: ["sms"],
  environments: ["live"],
  settings: SmppSettings,
  secrets: SmppSecrets,
  errors: smppErrors,
  fault: smppFault,
  languages: languagesOf,
  ownSender: ({ source }) => source?.address,
  create: createSmppGateway,
  rebuiltBy: ["timeout_ms"],
  asks: false,
  hasBreaker: true,
  inbound: smppInbound,
  callbacks: {
    read: readSmpp,
    idKeys: (id, settings) => smppIdKeys(id, settings?.receipt_id),
    partOf: (accepted, reported, settings) => smppPartOf(accepted, reported, settings?.receipt_id),
  },
});
