import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { metricsAnswer, pause, type RunningConsumers } from "@heliograph/runtime";
import type { Logger } from "pino";

/**
 * The consumers of this process that are not where they can be, each with its state: those that can are running, or wait as standby for another copy. One whose tables are rebuilt for this
 * release is not: reads would meet the tables of the one before.
 */
export const waitingFor = (running: readonly RunningConsumers[]): readonly string[] =>
  late(running).map(({ environment, name, state }) => `${environment}/${name}: ${state}`);

const late = (running: readonly RunningConsumers[]) =>
  running
    .flatMap(({ statuses }) => statuses)
    .filter(({ state }) => state !== "running" && state !== "waiting");

/**
 * A machine that is busy takes its time, and what is away comes back: both are waited for, however long that is. Throws when one of the consumers that are not ready in time failed with
 * what waiting does not mend.
 */
export async function untilReady(
  running: readonly RunningConsumers[],
  logger: Pick<Logger, "warn">,
  deadlineMs = 60_000,
): Promise<void> {
  let deadline = performance.now() + deadlineMs;
  for (;;) {
    const waiting = waitingFor(running);
    if (waiting.length === 0) return;
    if (performance.now() > deadline) {
      deadline = performance.now() + deadlineMs;
      // One that is rebuilt, or begins again, may have got over what it failed with.
      const broken = late(running).filter(
        ({ state, lastErrorPasses }) => state === "backing_off" && !lastErrorPasses,
      );
      if (broken.length > 0)
        throw new Error(
          `not ready after ${deadlineMs / 1000} s: ${broken.map(({ environment, name, lastError }) => `${environment}/${name}: ${lastError}`).join("; ")}`,
        );
      logger.warn({ waiting_for: waiting }, "not ready yet");
    }
    await pause(10);
  }
}

/** `/healthz`, `/readyz` and `/metrics` for a process that has no REST API. */
export async function serveHealth(
  host: string,
  port: number,
  running: readonly RunningConsumers[],
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    const answer = (status: number, type: string, body: string): void => {
      response
        .writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) })
        .end(body);
    };
    const path = request.url?.split("?")[0]?.replace(/^\/api\/v1/, "");
    if (path === "/healthz") answer(200, "application/json", '{"status":"ok"}');
    else if (path === "/readyz") {
      const waiting = waitingFor(running);
      const body =
        waiting.length === 0 ? { status: "ready" } : { status: "not_ready", waiting_for: waiting };
      answer(waiting.length === 0 ? 200 : 503, "application/json", JSON.stringify(body));
    } else if (path === "/metrics")
      metricsAnswer(request.headers.accept).then(
        ({ type, body }) => answer(200, type, body),
        () => answer(500, "text/plain", ""),
      );
    else
      answer(
        404,
        "application/problem+json",
        '{"title":"Not found","status":404,"code":"not_found"}',
      );
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) =>
    server.once("error", reject).listen(port, host, () => resolve()),
  );
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => (server.close(() => resolve()), server.closeAllConnections())),
  };
}
