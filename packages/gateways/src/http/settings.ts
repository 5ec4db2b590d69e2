import { receiptStatuses } from "@heliograph/contracts";
import { z } from "zod";
import type { ConfigurationFault } from "../descriptor.ts";
import { jsonIn } from "../json-in.ts";

/** RFC 6901. */
const Pointer = z
  .string()
  .max(200)
  .regex(/^(\/([^~/]|~[01])*)*$/, "must be a JSON pointer, such as /message/id");
/** They say how a request is written, which the connection knows better: with one of them no request would ever be made. */
const framing = /^(?:content-length|transfer-encoding|connection|keep-alive|upgrade|expect)$/i;
const HeaderName = z
  .string()
  .regex(/^[\w!#$%&'*+.^`|~-]{1,64}$/, "must be a header's name")
  .refine((name) => !framing.test(name), "must not be a header that frames the request");
export const Headers = z.record(
  HeaderName,
  z
    .string()
    .max(4_000)
    // oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
    .regex(/^[^\u0000-\u001f\u007f]*$/, "must be one line"),
);

const Status = z.union([
  z.int().min(200).max(599),
  z.array(z.int().min(200).max(599)).min(1).max(20),
  z.literal("2xx"),
]);

/** What answers mean; the first that matches counts. */
export const failureClasses = ["permanent", "transient", "throttled", "account"] as const;
const Match = z.union([
  z.string().min(1).max(200),
  z.strictObject({
    status: z.int().min(100).max(599).optional(),
    pointer: Pointer.optional(),
    equals: z.union([z.string().max(200), z.number(), z.boolean()]).optional(),
  }),
]);

/** What stands readable in the log. In `url`, `headers` and `body`, `{{to}}` and the like stand for the message. */
export const HttpSettings = z.strictObject({
  method: z.enum(["POST", "PUT", "PATCH", "GET"]).default("POST"),
  url: z
    .string()
    .max(2_000)
    .refine(
      (text) => URL.canParse(text) && /^https?:\/\/[^/?#@{}]+([/?#]|$)/i.test(text),
      "url must be an http:// or https:// address whose host has no password and no placeholder",
    ),
  headers: Headers.optional(),
  /** Text, or JSON whose texts are templates. */
  body: z.union([z.string().max(20_000), z.record(z.string(), z.unknown())]).optional(),
  success: z.strictObject({ status: Status.default("2xx"), id: Pointer }),
  errors: z
    .array(
      z.strictObject({
        match: Match,
        class: z.enum(failureClasses),
        /** The provider charges for it nevertheless. */
        billable: z.literal(true).optional(),
      }),
    )
    .max(100)
    .optional(),
  receipts: z
    .strictObject({
      /** Where the list is, in a body that has several. */
      items: Pointer.optional(),
      id: Pointer,
      status: Pointer,
      map: z.record(z.string().max(64), z.enum(receiptStatuses)),
      /** Those of its words that mean a failure which it charges for nevertheless. */
      billable: z.array(z.string().max(64)).max(100).optional(),
    })
    .optional(),
});
export type HttpSettings = z.infer<typeof HttpSettings>;

type ReceiptStatus = (typeof receiptStatuses)[number];
const failures: ReadonlySet<ReceiptStatus> = new Set(["undelivered", "bounced", "deferred"]);
/** Whether a report of this status says that something failed. */
export const isFailure = (status: ReceiptStatus): boolean => failures.has(status);

/** `billable` where nothing would ever be billed by it: money would be given back, and nobody would see why. */
export function httpFault({
  errors = [],
  receipts,
}: Pick<HttpSettings, "errors" | "receipts">): ConfigurationFault | undefined {
  const throttled = errors.findIndex((error) => error.billable && error.class === "throttled");
  if (throttled >= 0)
    return {
      path: `settings.errors.${throttled}.billable`,
      message: "is nothing for throttled: the message is sent again, and nothing has failed",
    };
  const { billable = [], map = {} } = receipts ?? {};
  const at = billable.findIndex((word) => !(Object.hasOwn(map, word) && isFailure(map[word]!)));
  return at < 0
    ? undefined
    : {
        path: `settings.receipts.billable.${at}`,
        message: `must be a word that map has as ${[...failures].join(", ")}`,
      };
}

/** Headers as a JSON object. */
export const HttpSecrets = z.strictObject({
  headers: z
    .string()
    .max(10_000)
    .refine((text) => Headers.safeParse(jsonIn(text)).success, "headers must be a JSON object")
    .optional(),
});
export type HttpSecrets = z.infer<typeof HttpSecrets>;
