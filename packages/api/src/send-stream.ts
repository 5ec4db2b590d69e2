import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Call } from "./call.ts";
import { type Answer, streamed } from "./route.ts";
import { whileAllowed } from "./still-allowed.ts";

const types = {
  csv: "text/csv; charset=utf-8",
  ndjson: "application/x-ndjson",
  json: "application/json",
} as const;

/** Answers with a file, or with JSON that is no file, as its parts are made: the next one is asked for when the client has taken those before it. Ends early when the caller's key or session does. */
export async function sendStream(
  call: Call<unknown, unknown>,
  format: keyof typeof types,
  name: string,
  texts: AsyncGenerator<string>,
): Promise<Answer> {
  const { response } = call;
  call.beginStream({
    "Content-Type": types[format],
    ...(format !== "json" && {
      "Content-Disposition": `attachment; filename="${name}.${format}"`,
    }),
  });
  if (call.request.method === "HEAD") response.end();
  else
    await whileAllowed(call, (signal) =>
      pipeline(Readable.from(texts), response, { signal }).catch((error: unknown) => {
        // The answer has begun: all that can be said now is that it is cut off, which a client sees by its end that is missing.
        response.destroy();
        if (!signal.aborted)
          call.context.logger.warn({ err: error, request_id: call.requestId }, "a file broke off");
      }),
    );
  return streamed;
}
