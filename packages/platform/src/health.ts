import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { metricsAnswer, type RunningConsumers } from "@heliograph/runtime";

/**
 * Whether the consumers of this process are where they can be: running, or waiting as standby for another copy. One whose tables are rebuilt for this release is
 * not: reads would meet the tables of the one before.
 */
export const consumersReady = (running: readonly RunningConsumers[]): boolean =>
  running.every((consumers) =>
    consumers.statuses.every((status) => status.state === "running" || status.state === "waiting"),
  );

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
      const ready = consumersReady(running);
      answer(ready ? 200 : 503, "application/json", `{"status":"${ready ? "ready" : "starting"}"}`);
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
