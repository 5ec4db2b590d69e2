import pino, { type Logger } from "pino";

/** JSON lines on standard error; what a person reads at start goes to standard output. */
export const newLogger = (level: string, base: Record<string, unknown> = {}): Logger =>
  pino(
    {
      level,
      base,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: ["authorization", "key", "secret"],
    },
    pino.destination({ dest: 2, sync: true }),
  );

export type { Logger };
