import { z } from "zod";
import { defineEvent } from "../define.ts";

/** Stream `greeting-<partner id>`, one writer: the greetings service. */
export const Greeted = defineEvent(
  "Greeted",
  1,
  "Somebody was greeted.",
  z.strictObject({ name: z.string().min(1).max(64) }),
);
