import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Time } from "./common.ts";

/** Platform log, stream `login-<UUID of the case-folded address>`: one agent of an address in an installation. */
export const LoginClaimed = defineEvent(
  "LoginClaimed",
  1,
  "An e-mail address signs in as an agent.",
  z.strictObject({ login: z.string().max(64), agent_id: Id, partner_id: Id, claimed_at: Time }),
);
