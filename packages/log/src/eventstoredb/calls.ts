import { convertToCommandError, type EventStoreDBClient } from "@eventstore/db-client";
import streamsService from "@eventstore/db-client/generated/streams_grpc_pb.js";
import type streams from "@eventstore/db-client/generated/streams_pb.js";

type StreamsClient = InstanceType<typeof streamsService.StreamsClient>;
export type BatchCall = ReturnType<StreamsClient["batchAppend"]>;

/** What the client keeps to itself: its channel, what goes with every call, and what it does when a call fails. */
type Inner = {
  getGRPCClient(kind: typeof streamsService.StreamsClient, name: string): Promise<StreamsClient>;
  callArguments(
    base: object,
    options: { readonly deadline: number },
  ): Parameters<StreamsClient["batchAppend"]>;
  handleError(client: StreamsClient, error: unknown): Promise<void>;
};

export type ReadOptions = {
  /** None: it lasts until it fails or is ended. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

export type Calls = {
  /**
   * Hands over the answers to a read or a subscription as they come, until the server has no more, `take` gives false or the signal ends it. Ending early costs nothing: the
   * node forgets the call, the connection stays. Throws the client's errors.
   */
  read(
    request: streams.ReadReq,
    take: (answer: streams.ReadResp) => boolean,
    options: ReadOptions,
  ): Promise<void>;
  /** Opens a call that takes any number of appends. `over` hears its end, once: the reason, as the client tells errors. */
  batchAppend(over: (error: Error) => void): Promise<BatchCall>;
};

/**
 * Calls of our own on the client's connection, from its own definitions of the protocol: the client cannot filter a read, makes a new connection when one is ended early, and
 * keeps the appends of all clients in one table. Which node it talks to, credentials, and going elsewhere after an error stay with the client.
 */
export function makeCalls(client: EventStoreDBClient): Calls {
  const inner = client as unknown as Inner;
  const connected = (): Promise<StreamsClient> =>
    inner.getGRPCClient(streamsService.StreamsClient, "heliograph");
  /** The client leaves the connection when this says that it must; the next call is to find the new one. */
  const told = async (grpc: StreamsClient, error: Error): Promise<Error> => {
    await inner.handleError(grpc, error).catch(() => undefined);
    return convertToCommandError(error);
  };

  async function read(
    request: streams.ReadReq,
    take: (answer: streams.ReadResp) => boolean,
    { timeoutMs = Number.POSITIVE_INFINITY, signal }: ReadOptions,
  ): Promise<void> {
    const grpc = await connected();
    if (signal?.aborted) return;
    const call = grpc.read(
      request,
      ...inner.callArguments({}, { deadline: Date.now() + timeoutMs }),
    );
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let over = false;
    const stop = (): void => {
      over = true;
      // Not from within an event of the call: grpc-js would give the rest of what it holds.
      setImmediate(() => call.cancel());
      resolve();
    };
    call.on("data", (answer: streams.ReadResp) => {
      if (over) return;
      try {
        if (!take(answer)) stop();
      } catch (error) {
        reject(error);
        stop();
      }
    });
    let failed = false;
    call.on("error", (error) => {
      failed = true;
      if (!over) void told(grpc, error).then(reject);
    });
    // It comes after an error, too.
    call.on("end", () => {
      if (!failed) resolve();
    });
    signal?.addEventListener("abort", stop, { once: true });
    try {
      await promise;
    } finally {
      over = true;
      signal?.removeEventListener("abort", stop);
    }
  }

  async function batchAppend(over: (error: Error) => void): Promise<BatchCall> {
    const grpc = await connected();
    const call = grpc.batchAppend(
      ...inner.callArguments({}, { deadline: Number.POSITIVE_INFINITY }),
    );
    let ended = false;
    const end = (error: Error): void => {
      if (ended) return;
      ended = true;
      void told(grpc, error).then(over);
    };
    call.on("error", end);
    call.on("end", () => end(new Error("the server ended the call for appends")));
    return call;
  }

  return { read, batchAppend };
}
