import type { GsmTables } from "@heliograph/channels";
import type { InboundReading, InboundRequest } from "../descriptor.ts";
import { decodePdu } from "./codec.ts";
import { createFrames } from "./frames.ts";
import { type Alphabet, readText } from "./coding.ts";
import { readType } from "./content-type.ts";
import { tag, tlvOf } from "./pdu.ts";
import type { Delivery } from "./session.ts";
import { element, UDHI } from "./submit.ts";

/** Which part of a long message it is. */
export type PartOf = {
  readonly reference: number;
  readonly total: number;
  readonly number: number;
};

type Header = {
  readonly part: PartOf | undefined;
  readonly tables: GsmTables;
  readonly body: Buffer;
};

/** A header that is not what it says is taken for text, as it is on a phone. */
function readHeader(bytes: Buffer): Header {
  const length = bytes[0] ?? 0;
  if (length + 1 > bytes.length) return { part: undefined, tables: {}, body: bytes };
  let part: PartOf | undefined;
  let tables: GsmTables = {};
  for (let at = 1; at + 1 < length + 1;) {
    const id = bytes[at]!;
    const size = bytes[at + 1]!;
    const value = bytes.subarray(at + 2, Math.min(at + 2 + size, length + 1));
    at += 2 + size;
    if (value.length < size) break;
    if (id === element.concat8 && size === 3) part = numbered(value[0]!, value[1]!, value[2]!);
    else if (id === element.concat16 && size === 4)
      part = numbered(value.readUInt16BE(0), value[2]!, value[3]!);
    else if (id === element.single && size === 1) tables = { ...tables, single: value[0]! };
    else if (id === element.locking && size === 1) tables = { ...tables, locking: value[0]! };
  }
  return { part, tables, body: bytes.subarray(length + 1) };
}

/** Numbers that are none are ignored, as 9.2.3.24.1 says; a message of one part is whole. */
const numbered = (reference: number, total: number, number: number): PartOf | undefined =>
  total > 1 && number >= 1 && number <= total ? { reference, total, number } : undefined;

function sarOf({ tlvs }: Delivery): PartOf | undefined {
  const reference = tlvOf(tlvs, tag.sar_msg_ref_num);
  const total = tlvOf(tlvs, tag.sar_total_segments);
  const number = tlvOf(tlvs, tag.sar_segment_seqnum);
  if (reference?.length !== 2 || total?.length !== 1 || number?.length !== 1) return undefined;
  return numbered(reference.readUInt16BE(0), total[0]!, number[0]!);
}

/** What a person sent, as one PDU has it. */
export type Written = {
  readonly from: string;
  readonly to: string;
  readonly part: PartOf | undefined;
  /** Undefined where it is no text. */
  readonly text: string | undefined;
};

/** The address in the one form of the channel: E.164 where it is international. */
function address(ton: number, text: string): string {
  const isInternational = ton === 1 && /^[0-9]{7,15}$/.test(text);
  return isInternational ? `+${text}` : text;
}

export function readWritten(delivery: Delivery, alphabet: Alphabet): Written {
  const { fields, tlvs } = delivery;
  const short = "short_message" in fields ? fields.short_message : Buffer.alloc(0);
  const bytes = short.length > 0 ? short : (tlvOf(tlvs, tag.message_payload) ?? short);
  const { part, tables, body } =
    (fields.esm_class & UDHI) === 0
      ? { part: undefined, tables: {}, body: bytes }
      : readHeader(bytes);
  return {
    from: address(fields.source_addr_ton, fields.source_addr),
    to: address(fields.dest_addr_ton, fields.destination_addr),
    part: part ?? sarOf(delivery),
    text: readText(body, fields.data_coding, alphabet, tables),
  };
}

/** The PDU of stored bytes. Throws for what is none. */
export function deliveryIn(raw: Buffer): Delivery {
  const pdu = decodePdu(raw);
  if (pdu.command !== "deliver_sm" && pdu.command !== "data_sm")
    throw new Error(`${pdu.command} is nothing that is delivered`);
  return pdu;
}

/** Where a part is that did not come. */
const gap = "[…]";

/**
 * Reads what a person sent: one PDU, or the parts of one message behind one another, in any order and any number of times. Throws for what is nothing of the kind.
 */
export function smppInbound({ raw, contentType }: InboundRequest): InboundReading {
  const { alphabet, id } = readType(contentType);
  const written = framesIn(raw).map((frame) => readWritten(deliveryIn(frame), alphabet));
  const [first] = written;
  if (first === undefined) throw new Error("there is no PDU");
  const texts = new Map(written.map(({ part, text }) => [part?.number ?? 1, text]));
  const total = first.part?.total ?? 1;
  const text = Array.from({ length: total }, (_, index) =>
    texts.has(index + 1) ? (texts.get(index + 1) ?? "") : gap,
  ).join("");
  return {
    providerMessageId: id,
    from: first.from,
    to: first.to,
    text,
    kind: "message",
  };
}

function framesIn(raw: Buffer): readonly Buffer[] {
  const frames = createFrames()(raw);
  if (frames === undefined) throw new Error("the bytes are no SMPP");
  return frames;
}
