import { verify, X509Certificate } from "node:crypto";
import { z } from "zod";
import type { CallbackRequest, Verdict } from "../callbacks.ts";
import { jsonIn } from "../json-in.ts";
import { isCertificateUrl, isConfirmationUrl } from "./sns-addresses.ts";

const said = {
  Message: z.string(),
  MessageId: z.string().max(128),
  Timestamp: z.string().max(64),
  TopicArn: z.string().max(400),
};
const proof = {
  SignatureVersion: z.enum(["1", "2"]),
  Signature: z.string().max(4_000),
  SigningCertURL: z.string().max(400),
};
const confirmation = { ...said, ...proof, SubscribeURL: z.string().max(4_400), Token: z.string() };

/** What SNS posts. */
export const SnsMessage = z.discriminatedUnion("Type", [
  z.object({ Type: z.literal("Notification"), ...said, ...proof, Subject: z.string().optional() }),
  z.object({ Type: z.literal("SubscriptionConfirmation"), ...confirmation }),
  z.object({ Type: z.literal("UnsubscribeConfirmation"), ...confirmation }),
]);
export type SnsMessage = z.infer<typeof SnsMessage>;

const digests = { "1": "sha1", "2": "sha256" } as const;

/** What is signed, in this order, each with its name, where it is there (SNS, "Verifying the signatures of Amazon SNS messages"). */
const signedFields = {
  Notification: ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
  SubscriptionConfirmation: confirmationFields(),
  UnsubscribeConfirmation: confirmationFields(),
} as const;

function confirmationFields(): readonly string[] {
  return ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
}

export function canonicalText(message: SnsMessage): string {
  const fields = new Map(Object.entries(message));
  return signedFields[message.Type]
    .filter((name) => fields.get(name) !== undefined)
    .map((name) => `${name}\n${fields.get(name)}\n`)
    .join("");
}

/**
 * Whether SNS sent a request about one of these topics. Of any other nothing is even asked for. A subscription is confirmed once its question is known to be genuine.
 */
export function verifySns(
  { method, body }: CallbackRequest,
  topics: readonly string[] = [],
): Verdict {
  const message =
    method === "POST" ? SnsMessage.safeParse(jsonIn(body.toString("utf8"))).data : undefined;
  if (message === undefined || !topics.includes(message.TopicArn)) return { kind: "forged" };
  const { SigningCertURL: url, TopicArn: topic } = message;
  if (!isCertificateUrl(url, topic)) return { kind: "forged" };
  return {
    kind: "asks",
    url,
    keep: true,
    decide: (certificate) =>
      isSigned(message, certificate) ? genuine(message) : { kind: "forged" },
  };
}

/** Throws for what is no certificate that is valid now: then it cannot be told. */
function isSigned(message: SnsMessage, pem: string): boolean {
  const { publicKey, validFromDate, validToDate } = new X509Certificate(pem);
  const now = Date.now();
  if (now < validFromDate.getTime() || now > validToDate.getTime())
    throw new Error("the certificate is not valid now");
  const text = Buffer.from(canonicalText(message));
  const signature = Buffer.from(message.Signature, "base64");
  return verify(digests[message.SignatureVersion], text, publicKey, signature);
}

function genuine(message: SnsMessage): Verdict {
  if (message.Type !== "SubscriptionConfirmation") return { kind: "genuine" };
  const { SubscribeURL: url, TopicArn: topic } = message;
  if (!isConfirmationUrl(url, topic)) return { kind: "forged" };
  const confirmed = { kind: "handshake", answer: { status: 200 } } as const;
  return { kind: "asks", url, keep: false, decide: () => confirmed };
}
