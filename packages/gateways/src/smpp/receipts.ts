import type { Failure } from "@heliograph/contracts";
import type { Report } from "../callbacks.ts";
import { billedAs } from "../failure.ts";
import { readText } from "./coding.ts";
import { smppErrors } from "./errors.ts";
import { maxIdCharacters } from "./ids.ts";
import { tag, tlvOf } from "./pdu.ts";
import type { Delivery } from "./session.ts";
import { states, words } from "./states.ts";

/** What a receipt says, whatever its dialect. */
export type SmppReceipt =
  | { readonly kind: "report"; readonly report: Report }
  | { readonly kind: "ignored"; readonly what: string }
  | { readonly kind: "unreadable"; readonly why: string };

/**
 * Reads a receipt: the optional parameters first, then the text, of which each label is read by itself, because the format of appendix B is each vendor's own. An id and a
 * state suffice.
 */
export function readReceipt(
  delivery: Delivery,
  gateway: string,
  billable: readonly string[] = [],
): SmppReceipt {
  const { tlvs } = delivery;
  const labels = labelsOf(textOf(delivery));
  // Some centres write the one of the parameter in another base than their answers, and the one of the text as there.
  const [id, other] = [cString(tlvOf(tlvs, tag.receipted_message_id)), labels("id")].flatMap(
    (found) => found?.slice(0, maxIdCharacters) ?? [],
  );
  if (id === undefined) return { kind: "unreadable", why: "a receipt without an id" };
  const number = tlvOf(tlvs, tag.message_state)?.[0];
  const said = labels("stat")?.toUpperCase();
  const [word, state] = (number === undefined ? undefined : states[number]) ?? [
    said,
    words.get(said ?? ""),
  ];
  if (word === undefined) return { kind: "unreadable", why: "a receipt without a state" };
  if (state !== "delivered" && state !== "undelivered") return { kind: "ignored", what: word };
  const code = networkError(tlvOf(tlvs, tag.network_error_code)) ?? labels("err");
  return {
    kind: "report",
    report: {
      providerMessageId: id,
      ...(other !== undefined && other !== id && { otherIds: [other] }),
      eventId: `${id}.${word.slice(0, 64)}`,
      status: state,
      ...(state === "undelivered" && {
        permanent: true,
        error: billedAs(
          failureOf(gateway, word, code),
          billable.some((each) => each.toUpperCase() === word || each === code),
        ),
        diagnostic: `stat:${word}${code === undefined ? "" : ` err:${code}`}`.slice(0, 2_000),
      }),
    },
  };
}

function failureOf(gateway: string, word: string, code: string | undefined): Failure {
  const name = gateway.slice(0, 64);
  const provider = { name, code: (code ?? word).slice(0, 64), text: word.slice(0, 2_000) };
  return { code: "undelivered", ...smppErrors.undelivered, provider };
}

/** A receipt that is longer than a short message, or that has none, has it in `message_payload`. */
function textOf({ fields, tlvs }: Delivery): string {
  const short = "short_message" in fields ? fields.short_message : undefined;
  const bytes = short !== undefined && short.length > 0 ? short : tlvOf(tlvs, tag.message_payload);
  // Receipts are ASCII, which most alphabets agree on; only UCS-2 is another thing.
  if (bytes === undefined) return "";
  return readText(bytes, fields.data_coding, "latin1") ?? bytes.toString("latin1");
}

/** The value of a label; of `text:`, which is last and holds what a person was sent, nothing is read. */
function labelsOf(text: string): (label: "id" | "stat" | "err") => string | undefined {
  const [head = ""] = text.split(/(?:^|\s)text:/i, 1);
  return (label) =>
    // Behind a user data header, too, whose octets are control characters.
    new RegExp(`(?:^|[\\s\\p{Cc},;])${label}\\s*:\\s*([^\\s,;]{1,255})`, "iu").exec(head)?.[1];
}

function cString(bytes: Buffer | undefined): string | undefined {
  const text = bytes?.toString("latin1").replace(/\0.*$/s, "").trim();
  return text === "" ? undefined : text;
}

/** Type of the network and its code, section 5.3.2.31; three zeros are none. */
function networkError(bytes: Buffer | undefined): string | undefined {
  if (bytes === undefined || bytes.length < 3) return undefined;
  const code = bytes.readUInt16BE(1);
  return code === 0 ? undefined : String(code).padStart(3, "0");
}
