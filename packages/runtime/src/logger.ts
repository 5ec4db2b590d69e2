import { maskSecrets } from "@heliograph/contracts";
import pino, { type DestinationStream, type Logger } from "pino";

/** JSON lines on standard error; what a person reads at start goes to standard output. */
export const newLogger = (
  level: string,
  base: Record<string, unknown> = {},
  destination: DestinationStream = pino.destination({ dest: 2, sync: true }),
): Logger =>
  pino(
    {
      level,
      base,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: ["authorization", "key", "secret"],
      // Whatever field or text it stands in: every line passes here.
      hooks: { streamWrite: maskSecrets },
    },
    destination,
  );

export type { Logger };
