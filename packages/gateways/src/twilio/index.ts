import { gatewayKind } from "../descriptor.ts";
import { createTwilioGateway } from "./connector.ts";
import { twilioErrors } from "./errors.ts";
import { twilioInbound } from "./inbound.ts";
import { readTwilio } from "./receipts.ts";
import { TwilioSecrets, TwilioSettings } from "./settings.ts";
import { verifyTwilio } from "./signature.ts";

/** Text messages over Twilio's REST interface, or over one that has its shape. */
export const twilio = gatewayKind({
  kind: "twilio",
  channels: ["sms"],
  environments: ["live"],
  settings: TwilioSettings,
  secrets: TwilioSecrets,
  errors: twilioErrors,
  ownSender: ({ from, messaging_service_sid }) =>
    messaging_service_sid === undefined ? from : undefined,
  create: createTwilioGateway,
  callbacks: {
    verify: (request, { secrets }) => verifyTwilio(request, secrets.auth_token),
    // To an inbound message, what is answered is said to the person: nothing.
    answer: { status: 200, contentType: "text/xml", body: "<Response></Response>" },
    read: readTwilio,
  },
  inbound: twilioInbound,
  // Both are built into its connections.
  rebuiltBy: ["max_concurrent", "timeout_ms"],
  // There is no way to ask by a reference of ours.
  asks: false,
  hasBreaker: true,
});
