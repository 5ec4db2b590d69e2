import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Time } from "./common.ts";
import { EvaluationContact } from "./evaluation.ts";

/** Platform log, stream `rota-evaluations`. */
export const EvaluationRotaSet = defineEvent(
  "EvaluationRotaSet",
  1,
  "These take the next evaluations, in turn, from the first.",
  z.strictObject({ contacts: z.array(EvaluationContact).max(50), set_at: Time }),
);
