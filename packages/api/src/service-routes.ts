import { metricsAnswer } from "@heliograph/runtime";
import { z } from "zod";
import type { Service } from "./service.ts";
import type { Call } from "./call.ts";
import { type Answer, type Route, route } from "./route.ts";

const Status = z
  .object({ status: z.string(), waiting_for: z.array(z.string()).optional() })
  .meta({ id: "ServiceStatus" });

const readiness = (call: Call<undefined, undefined>): Answer => {
  const { stopping, waitingFor } = call.context;
  if (stopping.aborted) return { status: 503, body: { status: "not_ready" } };
  const waiting = waitingFor?.() ?? [];
  if (waiting.length === 0) return { status: 200, body: { status: "ready" } };
  return { status: 503, body: { status: "not_ready", waiting_for: waiting } };
};

/** By this header of a request the metrics have one format or the other. */
const vary = "Accept";

const metrics = async (call: Call<undefined, undefined>): Promise<Answer> => {
  const { type, body } = await metricsAnswer(call.request.headers.accept);
  return { status: 200, body, headers: { "content-type": type, vary } };
};

/** For load balancers and monitoring: at the root, where they look, and below the API. */
const serviceRoutes: readonly Route[] = [true, false].flatMap((root) => [
  route({
    method: "GET",
    path: "/healthz",
    root,
    scope: "public",
    summary: "Whether the process is alive",
    response: Status,
    errors: [],
    handler: () => ({ status: 200, body: { status: "ok" } }),
  }),
  route({
    method: "GET",
    path: "/readyz",
    root,
    scope: "public",
    summary: "Whether the process is ready for requests; 503 while it is not",
    response: Status,
    also: { 503: { description: "Not ready, and what it waits for.", response: Status } },
    errors: [],
    handler: readiness,
  }),
  route({
    method: "GET",
    path: "/metrics",
    root,
    scope: "public",
    summary:
      "Metrics in the text format of Prometheus; as OpenMetrics, with traces as exemplars, where `Accept` prefers that",
    response: undefined,
    contentType: "text/plain",
    varies: vary,
    status: 200,
    errors: [],
    handler: metrics,
  }),
]);

const documentRoute = route({
  method: "GET",
  path: "/openapi.json",
  scope: "public",
  summary: "This document",
  response: z.record(z.string(), z.unknown()),
  errors: [],
  handler: (call) => ({ status: 200, body: call.context.document() }),
});

/** What every process that serves the API has, whichever services it hosts. */
export const hostService: Service = {
  name: "host",
  api: {
    groups: [
      {
        tag: "service",
        description: "Health, metrics, and this document.",
        routes: [documentRoute, ...serviceRoutes],
      },
    ],
  },
  consumers: () => [],
};
