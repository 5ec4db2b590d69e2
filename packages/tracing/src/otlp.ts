import {
  ROOT_CONTEXT,
  SpanKind as Kind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span as SdkSpan,
  type Tracer,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { AlwaysOnSampler, TracerProvider } from "@opentelemetry/sdk-trace";
import { hostname } from "node:os";
import manifest from "../package.json" with { type: "json" };
import { spanQueue } from "./queue.ts";
import { sampledPlace, traceparentOf, unsampled, type Place } from "./traceparent.ts";
import type { Attributes, Span, SpanKind, Tracing, TracingOptions } from "./types.ts";

const kinds: Readonly<Record<SpanKind, Kind>> = {
  producer: Kind.PRODUCER,
  consumer: Kind.CONSUMER,
  client: Kind.CLIENT,
};
/** A collector stands near by; one that takes longer is as good as away, and the queue fills. */
const exportTimeoutMs = 5_000;

/** Spans by OpenTelemetry's SDK, told over OTLP/HTTP as JSON. */
export function openTracing({ endpoint, ratio, service }: TracingOptions): Tracing {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, "")}/v1/traces`,
    timeoutMillis: exportTimeoutMs,
  });
  const queue = spanQueue(exporter);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": service,
      "service.version": manifest.version,
      "service.instance.id": `${hostname()}:${process.pid}`,
    }),
    // What is decided is decided before a span is made.
    sampler: new AlwaysOnSampler(),
    spanProcessors: [queue],
  });
  const tracer = provider.getTracer("heliograph", manifest.version);
  return {
    request(name, given) {
      // The caller's own flag does not decide: a partner could have everything of its told.
      if (Math.random() >= ratio)
        return { traceparent: given && unsampled(given), end: () => undefined };
      const parent = given === undefined ? ROOT_CONTEXT : contextOf(`${given.slice(0, -2)}01`);
      return spanOf(tracer.startSpan(name, { kind: Kind.SERVER }, parent));
    },
    follow(kind, name, traceparent, attributes = {}) {
      const place = sampledPlace(traceparent);
      return place && begin(tracer, place, name, kinds[kind], attributes);
    },
    stop: () => provider.shutdown(),
  };
}

const begin = (
  tracer: Tracer,
  place: Place,
  name: string,
  kind: Kind,
  attributes: Attributes,
): Span => spanOf(tracer.startSpan(name, { kind, attributes }, contextAt(place)));

const contextAt = ({ traceId, spanId }: Place): Context =>
  trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  });
function contextOf(traceparent: string): Context {
  const place = sampledPlace(traceparent);
  return place === undefined ? ROOT_CONTEXT : contextAt(place);
}

function spanOf(span: SdkSpan): Span {
  const { traceId, spanId } = span.spanContext();
  return {
    traceparent: traceparentOf({ traceId, spanId, isSampled: true }),
    end(attributes, error) {
      if (attributes !== undefined) span.setAttributes(attributes);
      if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
      span.end();
    },
  };
}
