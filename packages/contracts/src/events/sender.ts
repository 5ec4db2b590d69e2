import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Time } from "./common.ts";

/** Platform log, stream `sender-<UUID of gateway and address>`: whose messages to one of our addresses are. */
export const SenderAssigned = defineEvent(
  "SenderAssigned",
  1,
  "What is written to an address of a gateway belongs to a partner.",
  z.strictObject({
    gateway_id: Id,
    address: z.string().max(320),
    partner_id: Id,
    environment: z.enum(["live", "sandbox"]),
    assigned_at: Time,
  }),
);
