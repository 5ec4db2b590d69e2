import { tracedHistogram, type TracedSeries } from "@heliograph/runtime";
import { Gauge } from "prom-client";
import manifest from "../package.json" with { type: "json" };
import type { Route } from "./route.ts";

const seconds = tracedHistogram({
  name: "heliograph_http_request_seconds",
  help: "How long requests took, by route and status",
  labelNames: ["method", "route", "status"],
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
});

const bound = new Map<Route | undefined, Map<string, TracedSeries>>();

/** Counts an answered request; `traceparent` where its trace is told to somebody. What no route takes is one line, whatever its address: addresses from outside would never end. */
export function observeRequest(
  route: Route | undefined,
  method: string,
  status: number,
  tookMs: number,
  traceparent: string | undefined,
): void {
  let ofRoute = bound.get(route);
  if (ofRoute === undefined) bound.set(route, (ofRoute = new Map()));
  // Bound once: a look-up of labels for each request would be felt.
  const key = `${method} ${status}`;
  const histogram =
    ofRoute.get(key) ??
    seconds.labels({
      method: route === undefined ? "" : method,
      route: route?.path ?? "",
      status: String(status),
    });
  ofRoute.set(key, histogram);
  histogram.observe(tookMs / 1000, traceparent);
}

const build = new Gauge({
  name: "heliograph_build_info",
  help: "1, with the version of the code and of Node as labels",
  labelNames: ["version", "node"],
  aggregator: "first",
});
build.set({ version: manifest.version, node: process.versions.node }, 1);
