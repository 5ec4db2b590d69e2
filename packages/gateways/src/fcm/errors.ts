import type { Failure } from "@heliograph/contracts";
import { z } from "zod";
import { httpErrors } from "../call.ts";
import { failureOf, type Said } from "../failure.ts";
import { jsonIn } from "../json-in.ts";

type Class = Pick<Failure, "class" | "permanent">;

/** What a refusal of FCM's can mean. */
export const fcmErrors = {
  ...httpErrors,
  invalid_recipient: { class: "recipient", permanent: true },
  recipient_unreachable: { class: "recipient", permanent: true },
  content_rejected: { class: "content", permanent: true },
  account_not_allowed: { class: "account", permanent: true },
} as const satisfies Record<string, Class>;
export type FcmError = keyof typeof fcmErrors;

const Refused = z.object({
  error: z.object({
    status: z.string().max(64).catch(""),
    message: z.string().catch(""),
    details: z
      .array(
        z.object({
          errorCode: z.string().max(64).optional().catch(undefined),
          fieldViolations: z
            .array(z.object({ field: z.string().catch("") }))
            .optional()
            .catch(undefined),
        }),
      )
      .catch([]),
  }),
});

/** What an error says; `code` is FCM's own where there is one, else that of Google's interfaces. */
export type FcmRefusal = {
  readonly code: string;
  readonly text: string;
  /** The token itself is refused: it is none, or not any more. */
  readonly token: boolean;
};

/** Undefined for what is no error of Google's. */
export function refusalIn(body: string): FcmRefusal | undefined {
  const error = Refused.safeParse(jsonIn(body)).data?.error;
  if (error === undefined) return undefined;
  const { status, message, details } = error;
  const own = details.find(({ errorCode }) => errorCode !== undefined)?.errorCode;
  const code = own ?? status;
  const isAboutToken = details.some(({ fieldViolations = [] }) =>
    fieldViolations.some(({ field }) => field === "message.token"),
  );
  // With FCM's own code it names no field, but says so.
  const saysSo = own === "INVALID_ARGUMENT" && /\bregistration token\b/i.test(message);
  const token =
    code === "UNREGISTERED" || (code === "INVALID_ARGUMENT" && (isAboutToken || saysSo));
  return { code, text: message.slice(0, 1_000), token };
}

/** The codes of https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode, and of Google's interfaces, that say more than the status beside them. */
const codes: Readonly<Record<string, FcmError>> = {
  UNREGISTERED: "recipient_unreachable",
  INVALID_ARGUMENT: "content_rejected",
  // The token is that of another project.
  SENDER_ID_MISMATCH: "invalid_recipient",
  // The project lacks what it needs at Apple or in browsers.
  THIRD_PARTY_AUTH_ERROR: "account_not_allowed",
  UNAUTHENTICATED: "gateway_authentication_failed",
  PERMISSION_DENIED: "gateway_authentication_failed",
  // Without a word of FCM's own it is the project that is not there, and no device.
  NOT_FOUND: "gateway_authentication_failed",
};

/** Undefined for a code that is not in the table: then the status beside it decides, and the code is kept. */
export const fcmError = ({ code, token }: FcmRefusal): FcmError | undefined =>
  token && code === "INVALID_ARGUMENT" ? "invalid_recipient" : codes[code];

/** A failure of this kind, as `failureOf` words it. */
export const fcmFailure = (gateway: string, reason: FcmError, said: Said, to?: string): Failure =>
  failureOf(gateway, { code: reason, ...fcmErrors[reason] }, said, to);
