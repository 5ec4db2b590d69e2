export type Attributes = Readonly<Record<string, string | number | boolean>>;
export type SpanKind = "producer" | "consumer" | "client";

/** Something that takes time, in a trace. */
export type Span = {
  /** What follows from it is told this; undefined when there is no trace. */
  readonly traceparent: string | undefined;
  /** Once. `error`: in a word, why it failed. */
  end(attributes?: Attributes, error?: string): void;
};

export type Tracing = {
  /** A request at the front door, with the caller's `traceparent`: here it is decided whether its trace is told. */
  request(name: string, given: string | undefined): Span;
  /** What follows from an event or a request; undefined where its trace is not told. */
  follow(
    kind: SpanKind,
    name: string,
    traceparent: string | undefined,
    attributes?: Attributes,
  ): Span | undefined;
  /** Tells what has ended, for a few seconds at most. */
  stop(): Promise<void>;
};

export type TracingOptions = {
  /** Of the collector, without `/v1/traces`. */
  readonly endpoint: string;
  /** Which part of the requests begins a trace that is told, 0 to 1. */
  readonly ratio: number;
  /** What the process does, as `service.name`. */
  readonly service: string;
};
