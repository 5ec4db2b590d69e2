import features from "@eventstore/db-client/generated/serverfeatures_pb.js";
import featuresService from "@eventstore/db-client/generated/serverfeatures_grpc_pb.js";
import streams from "@eventstore/db-client/generated/streams_pb.js";
import streamsService from "@eventstore/db-client/generated/streams_grpc_pb.js";
import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { newFaults, type Faults } from "./faults.ts";
import {
  appendAnswer,
  appendExpectation,
  batchAnswer,
  batchExpectation,
  nameOf,
  proposed,
  uuidOf,
} from "./messages.ts";
import { BadPosition, isSubscription, readAnswers, subscriptionAnswers } from "./read.ts";
import { openRelay } from "./relay.ts";
import { DoubleStore, type Expectation, type Proposed, type StoredRecord } from "./store.ts";

export type { Faults } from "./faults.ts";
export { realEventStore } from "./container.ts";

export type EventStoreDouble = {
  readonly connectionString: string;
  readonly port: number;
  readonly faults: Faults;
  readonly store: DoubleStore;
  /** All that is stored, in order. */
  readonly records: readonly StoredRecord[];
  /** Cuts every connection that there is now. */
  cut(): void;
  /** Goes away: connections are refused, what is stored stays. */
  stop(): Promise<void>;
  /** Comes back on the same port. */
  start(): Promise<void>;
  close(): Promise<void>;
};

export type DoubleOptions = {
  readonly port?: number;
  /** Another node's data, for the members of a cluster. */
  readonly store?: DoubleStore;
  /** PEM texts: served with TLS; a client then also has to send the credentials. */
  readonly tls?: { readonly key: string; readonly certificate: string };
  readonly credentials?: { readonly username: string; readonly password: string };
};

/** Calls that are answered message by message; a cut ends them with the connection. */
type Answering = {
  readonly cancelled: boolean;
  on(event: "cancelled", listener: () => void): unknown;
};

/**
 * A double of EventStoreDB that speaks its protocol, from the client's own definitions: appends single and in batch, reads in both directions, subscriptions to everything with
 * filter and checkpoints, server features. What can go wrong with a server is injected by `faults`.
 */
export async function eventStoreDouble(options: DoubleOptions = {}): Promise<EventStoreDouble> {
  const store = options.store ?? new DoubleStore();
  const faults = newFaults();
  const server = new Server({ "grpc.max_receive_message_length": 17 * 1_048_576 });

  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  /** True when the message passes; false when it was cut, or hangs. */
  const passes = (): boolean => {
    if (faults.pass()) {
      relay.cut();
      return false;
    }
    return !faults.hang;
  };
  const refusal = (metadata: Metadata): { code: status; details: string } | undefined => {
    const { credentials } = options;
    if (credentials === undefined) return undefined;
    const text = `${credentials.username}:${credentials.password}`;
    const wanted = `Basic ${Buffer.from(text).toString("base64")}`;
    return metadata.get("authorization")[0] === wanted
      ? undefined
      : { code: status.UNAUTHENTICATED, details: "Unauthenticated" };
  };
  const notLeader = (): { code: status; details: string; metadata: Metadata } | undefined => {
    if (faults.leaderPort === undefined) return undefined;
    const metadata = new Metadata();
    metadata.set("exception", "not-leader");
    metadata.set("leader-endpoint-host", "127.0.0.1");
    metadata.set("leader-endpoint-port", String(faults.leaderPort));
    return { code: status.NOT_FOUND, details: "Leader info available", metadata };
  };
  const write = (stream: string, expected: Expectation, events: readonly Proposed[]) =>
    faults.takeFailure() ? ({ kind: "unknown" } as const) : store.append(stream, expected, events);

  server.addService(featuresService.ServerFeaturesService, {
    async getSupportedMethods(
      call: ServerUnaryCall<unknown, features.SupportedMethods>,
      answer: sendUnaryData<features.SupportedMethods>,
    ) {
      if (!passes()) return;
      const refused = refusal(call.metadata);
      if (refused) return answer(refused);
      const methods = ["BatchAppend", "Append", "Read"].map((name) =>
        new features.SupportedMethod()
          .setMethodName(name.toLowerCase())
          .setServiceName("event_store.client.streams.streams"),
      );
      if (!passes()) return;
      answer(
        null,
        new features.SupportedMethods()
          .setEventStoreServerVersion("24.10.0")
          .setMethodsList(methods),
      );
    },
  });

  server.addService(streamsService.StreamsService, {
    append(
      call: ServerReadableStream<streams.AppendReq, streams.AppendResp>,
      answer: sendUnaryData<streams.AppendResp>,
    ) {
      let header: streams.AppendReq.Options | undefined;
      const events: Proposed[] = [];
      let dead = false;
      call.on("error", () => undefined);
      call.on("data", (request: streams.AppendReq) => {
        dead ||= !passes();
        header ??= request.getOptions();
        const message = request.getProposedMessage();
        if (message) events.push(proposed(message));
      });
      call.on("end", async () => {
        if (dead || header === undefined) return;
        const refused = refusal(call.metadata) ?? notLeader();
        if (refused) return answer(refused);
        const written = write(
          nameOf(header.getStreamIdentifier()),
          appendExpectation(header),
          events,
        );
        if (faults.takeLostAnswer()) return;
        if (faults.slowMs > 0) await pause(faults.slowMs);
        if (!passes()) return;
        if (written.kind === "unknown") answer({ code: status.UNKNOWN, details: "Unknown" });
        else if (written.kind === "too-large") {
          const metadata = new Metadata();
          metadata.set("exception", "maximum-append-size-exceeded");
          metadata.set("maximum-append-size", String(written.limit));
          answer({
            code: status.INVALID_ARGUMENT,
            details: "Maximum Append Size Exceeded",
            metadata,
          });
        } else answer(null, appendAnswer(written));
      });
    },

    batchAppend(call: ServerDuplexStream<streams.BatchAppendReq, streams.BatchAppendResp>) {
      const open = new Map<
        string,
        { options: streams.BatchAppendReq.Options; events: Proposed[] }
      >();
      call.on("error", () => undefined);
      call.on("end", () => call.end());
      call.on("data", async (request: streams.BatchAppendReq) => {
        if (!passes()) return;
        const refused = refusal(call.metadata) ?? notLeader();
        if (refused) return void call.emit("error", refused);
        const id = uuidOf(request.getCorrelationId());
        const options = request.getOptions();
        if (options) open.set(id, { options, events: [] });
        const append = open.get(id);
        if (append === undefined) return;
        append.events.push(...request.getProposedMessagesList().map(proposed));
        if (!request.getIsFinal()) return;
        open.delete(id);
        const stream = nameOf(append.options.getStreamIdentifier());
        const written = write(stream, batchExpectation(append.options), append.events);
        if (faults.takeLostAnswer()) return;
        if (faults.slowMs > 0) await pause(faults.slowMs);
        if (passes() && !call.cancelled)
          call.write(batchAnswer(request.getCorrelationId(), stream, written));
      });
    },

    async read(call: ServerWritableStream<streams.ReadReq, streams.ReadResp>) {
      call.on("error", () => undefined);
      if (!passes()) return;
      const refused = refusal(call.metadata);
      if (refused) return void call.emit("error", refused);
      const request = call.request.getOptions()!;
      try {
        if (isSubscription(request)) return await follow(call, request);
        if (!(await sendAll(call, readAnswers(store, request)))) return;
        call.end();
      } catch (error) {
        if (!(error instanceof BadPosition)) throw error;
        call.emit("error", { code: status.INVALID_ARGUMENT, details: error.message });
      }
    },

    delete: unimplemented,
    tombstone: unimplemented,
  });

  async function follow(
    call: ServerWritableStream<streams.ReadReq, streams.ReadResp>,
    request: streams.ReadReq.Options,
  ): Promise<void> {
    const answers = subscriptionAnswers(store, request);
    let sending = false;
    let again = false;
    const send = async (): Promise<void> => {
      again = true;
      if (sending) return;
      sending = true;
      try {
        while (again) {
          again = false;
          if (!(await sendAll(call, answers()))) return;
        }
      } finally {
        sending = false;
      }
    };
    const stop = store.onWrite(() => void send());
    call.on("cancelled", stop);
    call.on("close", stop);
    await send();
  }

  /** False when it was cut on the way. */
  async function sendAll(
    call: ServerWritableStream<streams.ReadReq, streams.ReadResp> & Answering,
    answers: Iterable<streams.ReadResp>,
  ): Promise<boolean> {
    for (const answer of answers) {
      if (call.cancelled) return false;
      if (faults.slowMs > 0) await pause(faults.slowMs);
      if (!passes()) return false;
      if (!call.write(answer)) await drained(call);
    }
    return !call.cancelled;
  }

  const inner = await new Promise<number>((resolve, reject) => {
    const { tls } = options;
    const credentials =
      tls === undefined
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(null, [
            { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.certificate) },
          ]);
    server.bindAsync("127.0.0.1:0", credentials, (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
  const relay = await openRelay(inner, options.port);
  const { credentials } = options;
  const user = credentials ? `${credentials.username}:${credentials.password}@` : "";
  return {
    connectionString: `esdb://${user}127.0.0.1:${relay.port}?tls=${options.tls !== undefined}`,
    port: relay.port,
    faults,
    store,
    records: store.records,
    cut: relay.cut,
    stop: relay.close,
    start: relay.listen,
    async close() {
      await relay.close();
      server.forceShutdown();
    },
  };
}

function unimplemented(_: unknown, answer: sendUnaryData<never>): void {
  answer({ code: status.UNIMPLEMENTED, details: "the double does not serve this" });
}

const drained = (call: ServerWritableStream<streams.ReadReq, streams.ReadResp>): Promise<void> =>
  new Promise((resolve) => {
    call.once("drain", resolve);
    call.once("cancelled", resolve);
    call.once("close", resolve);
  });
