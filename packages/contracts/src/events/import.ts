import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Time } from "./common.ts";

/** Stream `import-<id>`. The file itself is kept outside the log, sealed, until it is read. */
export const ContactImportRequested = defineEvent(
  "ContactImportRequested",
  1,
  "A file of contacts is to be imported.",
  z.strictObject({
    import_id: Id,
    format: z.enum(["csv", "ndjson"]),
    on_conflict: z.enum(["update", "skip", "fail"]),
    bytes: z.int().min(0),
    requested_at: Time,
  }),
);
