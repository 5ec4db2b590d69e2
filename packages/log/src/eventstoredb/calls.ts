import {
  convertToCommandError,
  UnavailableError,
  type EventStoreDBClient,
} from "@eventstore/db-client";
import streamsService from "@eventstore/db-client/generated/streams_grpc_pb.js";
import type streams from "@eventstore/db-client/generated/streams_pb.js";
import { callTimeoutMs, within } from "./connection.ts";

type StreamsClient = InstanceType<typeof streamsService.StreamsClient>;
type BatchCall = ReturnType<StreamsClient["batchAppend"]>;
type ReadCall = ReturnType<StreamsClient["read"]>;
type CallArguments = Parameters<StreamsClient["batchAppend"]>;

/** What the client keeps to itself: its channel, what goes with every call, and what it does when a call fails. */
type Inner = {
  getGRPCClient(kind: typeof streamsService.StreamsClient, name: string): Promise<StreamsClient>;
  callArguments(base: object, options: { readonly deadline: number }): CallArguments;
  handleError(client: StreamsClient, error: unknown): Promise<void>;
};

/** Takes an answer; false when no more are wanted. */
type TakeAnswer = (answer: streams.ReadResp) => boolean;

export type ReadOptions = {
  /** From when a node is found, for which there are 3 s. None: it lasts until it fails or is ended. */
  readonly timeoutMs?: number;
  /** A node that is well gives its first answer in this time; when none comes, that counts as silence. */
  readonly firstWithinMs?: number;
  readonly signal?: AbortSignal;
};

export type Batch = {
  readonly call: BatchCall;
  /** Ends it, because no append was answered since a time of `performance.now()`. */
  abandon(since: number): void;
};

type Running = { readonly grpc: StreamsClient; fail(error: Error): void };

/**
 * Calls of our own on the client's connection, from its own definitions of the protocol: the client cannot filter a read, makes a new connection when one is ended early, and
 * keeps the appends of all clients in one table. Which node it talks to, credentials, and going elsewhere after an error stay with the client.
 *
 * A peer that vanished closes nothing. The client would notice by keep-alive, after 20 s, and never while it still connects. So when a call that is always answered at once is not, and
 * nothing came by the other calls either, the connection is left: all calls on it fail, and the next ones find another.
 */
export class Calls {
  readonly #inner: Inner;
  readonly #running = new Set<Running>();
  #heardAt = 0;

  constructor(client: EventStoreDBClient) {
    this.#inner = client as unknown as Inner;
  }

  /**
   * Hands over the answers to a read or a subscription as they come, until the server has no more, `take` gives false or the signal ends it. Ending early costs nothing: the
   * node forgets the call, the connection stays. Throws the client's errors, and what `take` throws.
   */
  async read(request: streams.ReadReq, take: TakeAnswer, options: ReadOptions): Promise<void> {
    const { timeoutMs = Number.POSITIVE_INFINITY, signal } = options;
    const grpc = await this.#found(signal);
    if (grpc === undefined || signal?.aborted) return;
    const call = grpc.read(request, ...this.#deadline(timeoutMs));
    await this.#answers(grpc, call, take, options);
  }

  /** Opens a call that takes any number of appends. `over` hears its end, once: the reason, as the client tells errors. */
  async batchAppend(over: (error: Error) => void): Promise<Batch> {
    const grpc = await within(this.#connected(), callTimeoutMs);
    const call = grpc.batchAppend(...this.#deadline(Number.POSITIVE_INFINITY));
    const fail = (error: Error): void => {
      if (!this.#running.delete(one)) return;
      call.cancel();
      void this.#told(grpc, error).then(over);
    };
    const one: Running = { grpc, fail };
    this.#running.add(one);
    call.on("data", () => (this.#heardAt = performance.now()));
    call.on("error", fail);
    call.on("end", () => fail(new Error("the server ended the call for appends")));
    return { call, abandon: (since) => fail(this.#silence(grpc, since)) };
  }

  #connected(): Promise<StreamsClient> {
    return this.#inner.getGRPCClient(streamsService.StreamsClient, "heliograph");
  }

  /**
   * A cluster that does not answer is looked for in nearly a minute. Nobody waits for that: the search goes on, and who comes next joins it. Undefined when the signal
   * was quicker.
   */
  async #found(signal: AbortSignal | undefined): Promise<StreamsClient | undefined> {
    if (signal?.aborted) return undefined;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const stop = (): void => resolve(undefined);
    signal?.addEventListener("abort", stop, { once: true });
    try {
      return await within(Promise.race([this.#connected(), promise]), callTimeoutMs);
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  #deadline(timeoutMs: number): CallArguments {
    return this.#inner.callArguments({}, { deadline: Date.now() + timeoutMs });
  }

  /** The client leaves the connection when an error says that it must; whoever hears of it finds the new one. */
  async #told(grpc: StreamsClient, error: Error): Promise<Error> {
    await this.#inner.handleError(grpc, error).catch(() => undefined);
    return convertToCommandError(error);
  }

  #silence(grpc: StreamsClient, since: number): Error {
    if (this.#heardAt >= since) return new Error("no answer, though the connection is alive");
    const error = new UnavailableError(undefined, "nothing comes on the connection any more");
    for (const other of this.#running) if (other.grpc === grpc) other.fail(error);
    return error;
  }

  /** Hands over what comes by a call for reading, until its end. */
  async #answers(
    grpc: StreamsClient,
    call: ReadCall,
    take: TakeAnswer,
    { firstWithinMs, signal }: ReadOptions,
  ): Promise<void> {
    const startedAt = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let over = false;
    // Not from within an event of the call: grpc-js would give the rest of what it holds.
    const cancel = (): void => void setImmediate(() => call.cancel());
    const fail = (error: Error): void => {
      if (over) return;
      over = true;
      void this.#told(grpc, error).then(reject);
    };
    const stop = (): void => {
      over = true;
      cancel();
      resolve();
    };
    const one: Running = {
      grpc,
      fail(error) {
        fail(error);
        cancel();
      },
    };
    this.#running.add(one);
    const first =
      firstWithinMs === undefined
        ? undefined
        : setTimeout(() => one.fail(this.#silence(grpc, startedAt)), firstWithinMs);
    call.on("data", (answer: streams.ReadResp) => {
      this.#heardAt = performance.now();
      clearTimeout(first);
      if (over) return;
      try {
        if (!take(answer)) stop();
      } catch (error) {
        reject(error);
        stop();
      }
    });
    call.on("error", fail);
    // It comes after an error, too.
    call.on("end", () => {
      if (!over) resolve();
    });
    signal?.addEventListener("abort", stop, { once: true });
    try {
      await promise;
    } finally {
      over = true;
      this.#running.delete(one);
      clearTimeout(first);
      signal?.removeEventListener("abort", stop);
    }
  }
}
