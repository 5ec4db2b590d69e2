import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Channel, Id, ReceivedFile, Sealed, Time } from "./common.ts";

const maxRaw = 1_000_000;

/** Stream `callback-<id>`, revision 0. The id follows from gateway and bytes, so what a provider posts twice is there once. */
export const CallbackReceived = defineEvent(
  "CallbackReceived",
  1,
  "A provider told something of its own accord; it is genuine, and nothing of it is interpreted yet.",
  z.strictObject({
    callback_id: Id,
    gateway_id: Id,
    /** Its name. */
    gateway: z.string().max(64),
    gateway_kind: z.string().max(64),
    channel: Channel,
    /** As the provider called it; empty where it came over the gateway's own connection. */
    url: Sealed(8_000),
    /** Those that came along, as JSON; an authorization is left out. */
    headers: Sealed(20_000),
    content_type: z.string().max(255),
    /** The bytes as they came, under a key of this record: text, or base64 where they are no UTF-8. */
    raw: Sealed(maxRaw),
    encoding: z.enum(["text", "base64"]),
    /** Of a mail: its files, whose contents are left out of the bytes. Absent where nothing was left out. */
    files: z.array(ReceivedFile).min(1).max(50).optional(),
    received_at: Time,
  }),
);
