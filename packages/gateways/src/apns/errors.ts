import type { Failure } from "@heliograph/contracts";
import { z } from "zod";
import { httpErrors } from "../call.ts";
import { failureOf, type Said } from "../failure.ts";
import { jsonIn } from "../json-in.ts";

type Class = Pick<Failure, "class" | "permanent">;

/** What a refusal of APNs can mean. */
export const apnsErrors = {
  ...httpErrors,
  invalid_recipient: { class: "recipient", permanent: true },
  recipient_unreachable: { class: "recipient", permanent: true },
  content_rejected: { class: "content", permanent: true },
} as const satisfies Record<string, Class>;
export type ApnsError = keyof typeof apnsErrors;

const Refused = z.object({
  reason: z.string().min(1).max(64),
  /** Of a 410: when APNs last saw that the token is none any more, epoch ms. */
  timestamp: z.number().min(0).optional().catch(undefined),
});
export type ApnsRefusal = z.infer<typeof Refused>;

/** Undefined for what is no error of APNs'. */
export const refusalIn = (body: string): ApnsRefusal | undefined =>
  Refused.safeParse(jsonIn(body)).data;

/** The reasons of "Handling notification responses from APNs" (developer.apple.com) that say more than the status beside them. */
const reasons: Readonly<Record<string, ApnsError>> = {
  BadDeviceToken: "invalid_recipient",
  MissingDeviceToken: "invalid_recipient",
  DeviceTokenNotForTopic: "invalid_recipient",
  Unregistered: "recipient_unreachable",
  ExpiredToken: "recipient_unreachable",
  // Of one device.
  TooManyRequests: "provider_throttled",
  PayloadEmpty: "content_rejected",
  PayloadTooLarge: "content_rejected",
  TooManyProviderTokenUpdates: "provider_throttled",
  IdleTimeout: "provider_unavailable",
  BadCertificate: "gateway_authentication_failed",
  BadCertificateEnvironment: "gateway_authentication_failed",
  BadEnvironmentKeyIdInToken: "gateway_authentication_failed",
  BadPath: "gateway_authentication_failed",
  BadTopic: "gateway_authentication_failed",
  ExpiredProviderToken: "gateway_authentication_failed",
  Forbidden: "gateway_authentication_failed",
  InvalidProviderToken: "gateway_authentication_failed",
  MissingProviderToken: "gateway_authentication_failed",
  MissingTopic: "gateway_authentication_failed",
  TopicDisallowed: "gateway_authentication_failed",
  UnrelatedKeyIdInToken: "gateway_authentication_failed",
};

/** Undefined for a reason that is not in the table: then the status beside it decides, and the reason is kept. */
export const apnsError = (reason: string): ApnsError | undefined => reasons[reason];

/** A failure of this kind, as `failureOf` words it; APNs has no words beside its reasons. */
export const apnsFailure = (
  gateway: string,
  reason: ApnsError,
  said: Said,
  to?: string,
): Failure => {
  const text = said.text || (said.code ? `APNs said ${said.code}` : "");
  return failureOf(gateway, { code: reason, ...apnsErrors[reason] }, { ...said, text }, to);
};
