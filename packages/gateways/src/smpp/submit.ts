import { createHash } from "node:crypto";
import { gsmAlphabet, type GsmTables, splitSms } from "@heliograph/channels";
import type { Attempt } from "../types.ts";
import { canWrite, dataCoding, toAlphabet, toUcs2 } from "./coding.ts";
import { type Fields, tag, type Tlvs } from "./pdu.ts";
import { languagesOf, type SmppSettings } from "./settings.ts";

/** One submit_sm, apart from its number. */
export type Submit = { readonly fields: Fields<"submit_sm">; readonly tlvs: Tlvs };

/** Bits of esm_class (section 5.2.12): the short message begins with a user data header. */
export const UDHI = 0x40;
/** Information elements of a user data header: TS 23.040, 9.2.3.24. */
export const element = { concat8: 0x00, concat16: 0x08, single: 0x24, locking: 0x25 } as const;
/** A receipt of the final outcome, whatever it is (section 5.2.17). */
const FINAL_RECEIPT = 0x01;
/** The most octets of a short message; what is longer goes as `message_payload` (section 3.2.3). */
const maxShortMessage = 254;

type Numbered = { readonly ton: number; readonly npi: number; readonly address: string };

/** Types of number and numbering plans of section 5.2.5 and 5.2.6: international by E.164; a name; a short code of the network's own. */
export function senderOf(from: string | undefined, source: SmppSettings["source"]): Numbered {
  // Empty: the message centre puts in its own (section 4.4.1).
  const address = from ?? source?.address ?? "";
  const guessed =
    address === ""
      ? { ton: 0, npi: 0 }
      : !/^\+?[0-9]+$/.test(address)
        ? { ton: 5, npi: 0 }
        : address.startsWith("+") || address.length > 8
          ? { ton: 1, npi: 1 }
          : { ton: 3, npi: 0 };
  const told = address === source?.address ? source : undefined;
  return {
    ton: told?.ton ?? guessed.ton,
    npi: told?.npi ?? guessed.npi,
    address: address.replace(/^\+(?=[0-9]+$)/, ""),
  };
}

const dayS = 86_400;
/** Days that the relative format has two digits for; a message is valid for seven at most. */
const maxValidityS = 31 * dayS - 1;

/** The relative format of section 7.1.1, 16 characters: 900 seconds are `000000001500000R`. Empty where the message centre decides. */
export function validityPeriod(seconds: number | undefined): string {
  if (seconds === undefined || seconds < 1) return "";
  const whole = Math.min(Math.floor(seconds), maxValidityS);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  return `0000${two(whole / dayS)}${two((whole / 3_600) % 24)}${two((whole / 60) % 60)}${two(whole % 60)}000R`;
}

/** What binds the parts of one message together: of the message, so that a part that is sent again later belongs to the others. */
const hashOf = (text: string): Buffer => createHash("sha256").update(text).digest();

/** The submits of an attempt: with `udh` as many as its text has segments. */
export function submitsOf(attempt: Attempt, settings: SmppSettings): readonly Submit[] {
  const { text = "" } = attempt.content;
  const alphabet = settings.data_coding_default ?? "gsm";
  // What a centre of another alphabet has no letter for goes as UCS-2, in more parts perhaps.
  const split = splitSms(text, {
    wide: !canWrite(text, alphabet),
    national: spoken(attempt.national, settings),
  });
  const { encoding, national } = split;
  const bytesOf = (part: string): Buffer =>
    encoding === "UCS-2"
      ? toUcs2(part)
      : national === undefined
        ? toAlphabet(part, alphabet)
        : gsmAlphabet(national).encode(part);
  const shared = sharedFields(attempt, settings);
  const fields = {
    ...shared,
    data_coding: encoding === "UCS-2" ? dataCoding.ucs2 : dataCoding.smscDefault,
  };
  const tlvs: Tlvs = [[tag.user_message_reference, hashOf(attempt.attemptId).subarray(0, 2)]];
  const { parts } = split;
  if (parts.length === 1 && national !== undefined) {
    const short_message = Buffer.concat([headerOf(tableElements(national)), bytesOf(text)]);
    return [{ fields: { ...fields, esm_class: UDHI, short_message }, tlvs }];
  }
  if (parts.length === 1) return [{ fields: { ...fields, short_message: bytesOf(text) }, tlvs }];
  if (settings.long === "payload") {
    const whole = bytesOf(text);
    return whole.length <= maxShortMessage
      ? [{ fields: { ...fields, short_message: whole }, tlvs }]
      : [{ fields, tlvs: [...tlvs, [tag.message_payload, whole]] }];
  }
  const hash = hashOf(attempt.messageId);
  if (settings.long === "sar")
    return parts.map((part, index) => ({
      fields: { ...fields, short_message: bytesOf(part) },
      tlvs: [
        ...tlvs,
        [tag.sar_msg_ref_num, hash.subarray(0, 2)],
        [tag.sar_total_segments, Buffer.from([parts.length])],
        [tag.sar_segment_seqnum, Buffer.from([index + 1])],
      ],
    }));
  const reference = hash[0]!;
  return parts.map((part, index) => {
    // TS 23.040, 9.2.3.24.1: an element of three octets: reference, parts, number.
    const elements = [element.concat8, 3, reference, parts.length, index + 1];
    const header = headerOf([...elements, ...tableElements(national)]);
    const short_message = Buffer.concat([header, bytesOf(part)]);
    return { fields: { ...fields, esm_class: UDHI, short_message }, tlvs };
  });
}

/** Those that the message was counted with, where this gateway sends them all. */
function spoken(tables: GsmTables | undefined, settings: SmppSettings): GsmTables | undefined {
  const known = languagesOf(settings);
  const asked = [tables?.locking, tables?.single].filter((table) => table !== undefined);
  return asked.every((table) => known.includes(table)) ? tables : undefined;
}

/** TS 23.040, 9.2.3.24.15 and 9.2.3.24.16: each an element of one octet. */
const tableElements = ({ locking, single }: GsmTables = {}): readonly number[] => [
  ...(single === undefined ? [] : [element.single, 1, single]),
  ...(locking === undefined ? [] : [element.locking, 1, locking]),
];

/** TS 23.040, 9.2.3.24: its length without itself, and then its elements. */
const headerOf = (elements: readonly number[]): Buffer =>
  Buffer.from([elements.length, ...elements]);

function sharedFields(attempt: Attempt, settings: SmppSettings): Fields<"submit_sm"> {
  const sender = senderOf(attempt.from, settings.source);
  return {
    service_type: settings.service_type ?? "",
    source_addr_ton: sender.ton,
    source_addr_npi: sender.npi,
    source_addr: sender.address,
    dest_addr_ton: 1,
    dest_addr_npi: 1,
    destination_addr: attempt.to.replace(/^\+/, ""),
    esm_class: 0,
    protocol_id: 0,
    priority_flag: 0,
    schedule_delivery_time: "",
    validity_period: validityPeriod(attempt.validForSeconds),
    registered_delivery: FINAL_RECEIPT,
    replace_if_present_flag: 0,
    data_coding: 0,
    sm_default_msg_id: 0,
    short_message: Buffer.alloc(0),
  };
}
