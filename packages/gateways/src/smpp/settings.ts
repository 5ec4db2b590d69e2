import { nationalLanguages } from "@heliograph/channels";
import { z } from "zod";
import type { ConfigurationFault } from "../descriptor.ts";
import { BillableCodes } from "../failure.ts";
import { isNoFailure } from "./states.ts";

/** The most of each C-octet string of a bind (SMPP 3.4, 4.1.1), without the NUL that ends it. */
const latin1 = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[\u0020-\u007e]*$/, "must be letters, digits and marks of ASCII");

const Ton = z.int().min(0).max(6);
const Npi = z.int().min(0).max(18);

/** What stands readable in the log. */
export const SmppSettings = z.strictObject({
  host: z
    .string()
    .min(1)
    .max(255)
    .regex(/^[A-Za-z0-9.:_-]+$/, "host must be a name or an IP address"),
  port: z.int().min(1).max(65_535),
  system_id: latin1(15).min(1),
  system_type: latin1(12).optional(),
  /** Of the bind: for which addresses it takes what people write. */
  address_range: latin1(40).optional(),
  /** Of each submit, where the carrier has several services. */
  service_type: latin1(5).optional(),
  /** After so long without a word the message centre is asked whether it is there. */
  enquire_link_seconds: z.int().min(1).max(300).optional(),
  /** One connection for both directions, or one for each. */
  bind: z.enum(["transceiver", "pair"]).optional(),
  /** Connections, or pairs of them, of each process. */
  binds: z.int().min(1).max(32).optional(),
  /** Submits of one connection that are not answered yet. */
  window: z.int().min(1).max(1_000).optional(),
  /** What the message centre takes `data_coding` 0 for. */
  data_coding_default: z.enum(["gsm", "latin1", "ascii"]).optional(),
  tls: z.boolean().optional(),
  /** How the id in a receipt is written when it is not as in the answer. */
  receipt_id: z.enum(["as_is", "hex_to_decimal", "auto"]).optional(),
  /** A long text as several messages, tied by a header or by parameters (section 5.3.2.22), or whole. */
  long: z.enum(["udh", "sar", "payload"]).optional(),
  /** Whose national tables phones and networks behind it know: texts of such a language are sent with them where that saves a part. */
  national: z
    .array(z.enum(Object.keys(nationalLanguages) as (keyof typeof nationalLanguages)[]))
    .min(1)
    .max(3)
    .optional(),
  /** States or network error codes of undelivered messages that the message centre charges for. */
  billable: BillableCodes.optional(),
  /** The sender of messages that name none. */
  source: z
    .strictObject({ address: latin1(20).min(1), ton: Ton.optional(), npi: Npi.optional() })
    .optional(),
});
export type SmppSettings = z.infer<typeof SmppSettings>;

/** By the numbers of TS 23.038, 6.2.1.2.4. */
export const languagesOf = ({ national = [] }: SmppSettings): readonly number[] =>
  national.map((language) => nationalLanguages[language]);

/** Tables are named in a header of septets of the GSM alphabet; and by a state in which nothing failed nothing would ever be billed. */
export function smppFault(settings: SmppSettings): ConfigurationFault | undefined {
  const { national, data_coding_default: alphabet = "gsm", long = "udh", billable = [] } = settings;
  const at = billable.findIndex(isNoFailure);
  if (at >= 0)
    return { path: `settings.billable.${at}`, message: "is a state in which nothing has failed" };
  return national === undefined || (alphabet === "gsm" && long === "udh")
    ? undefined
    : {
        path: "settings.national",
        message: "takes data_coding_default gsm and long udh: tables are named in a header",
      };
}

export const SmppSecrets = z.strictObject({ password: latin1(8) });
export type SmppSecrets = z.infer<typeof SmppSecrets>;
