import featuresService from "@eventstore/db-client/generated/serverfeatures_grpc_pb.js";
import gossipService from "@eventstore/db-client/generated/gossip_grpc_pb.js";
import streamsService from "@eventstore/db-client/generated/streams_grpc_pb.js";
import { Server, ServerCredentials, status, type sendUnaryData } from "@grpc/grpc-js";
import type { Certificate } from "../certificate.ts";
import { newFaults, type Faults, type FirstFaults } from "./faults.ts";
import { newGate, type Credentials } from "./gate.ts";
import { openRelay } from "./relay.ts";
import { appendMethods } from "./serve-appends.ts";
import { featuresMethod, gossipMethod } from "./serve-node.ts";
import { readMethod } from "./serve-reads.ts";
import { DoubleStore, type StoredRecord } from "./store.ts";

export { realEventStore } from "./container.ts";
export type { Faults } from "./faults.ts";

export type EventStoreDouble = {
  /** With the credentials, when some are wanted. */
  readonly connectionString: string;
  /** The same, for a client that asks for the members of the cluster and chooses the leader. */
  readonly discoverString: string;
  readonly port: number;
  readonly faults: Faults;
  /** Give it to another double, and both are nodes of one cluster. */
  readonly store: DoubleStore;
  /** All that is stored, in order, with the node's own records. */
  readonly records: readonly StoredRecord[];
  /** What clients appended, in order. */
  events(): readonly StoredRecord[];
  /** Cuts every connection that there is now. */
  cut(): void;
  /** Stands still as a process that was stopped: connections are accepted and stay, and nothing passes on them. */
  freeze(): void;
  /** Goes on with what came meanwhile. */
  thaw(): void;
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
  readonly faults?: FirstFaults;
  /** Says that it knows BatchAppend, as every server since 21.6 does; default true. */
  readonly batches?: boolean;
  /** Calls at once on a connection; more wait at the client. The real one's 100 by default. */
  readonly calls?: number;
  /** Served with TLS; the connection strings name the file to trust. */
  readonly tls?: Certificate;
  /** Wanted with appends and reads. Clients send them over TLS only. */
  readonly credentials?: Credentials;
};

/**
 * A double of EventStoreDB that speaks its protocol, from the client's own definitions: appends single and in batch, reads in both directions, subscriptions to everything with
 * filter and checkpoints, server features, gossip. What can go wrong with a server is injected by `faults`. Not served: deletion, subscriptions to one stream or persistent
 * ones, links, access lists.
 */
export async function eventStoreDouble(options: DoubleOptions = {}): Promise<EventStoreDouble> {
  const { tls, credentials } = options;
  const store = options.store ?? new DoubleStore();
  const faults = newFaults(options.faults);
  const gate = newGate(faults, () => relay, credentials);
  // As the real one: appends that are too large are refused by their own rule.
  const server = new Server({
    "grpc.max_receive_message_length": 17 * 1_048_576,
    "grpc.max_concurrent_streams": options.calls ?? 100,
  });
  server.addService(featuresService.ServerFeaturesService, {
    getSupportedMethods: started(featuresMethod(gate, options.batches ?? true)),
  });
  server.addService(gossipService.GossipService, {
    read: started(gossipMethod(gate, () => relay.port)),
  });
  server.addService(streamsService.StreamsService, {
    ...appendMethods(gate, store),
    read: started(readMethod(gate, store)),
    delete: unimplemented,
    tombstone: unimplemented,
  });
  const relay = await openRelay(await listen(server, tls), options.port);

  const user = credentials ? `${credentials.username}:${credentials.password}@` : "";
  // Certificates are for names; an address as the server's name is deprecated.
  const host = tls ? "localhost" : "127.0.0.1";
  const parameters = tls ? `tls=true&tlsCAFile=${encodeURIComponent(tls.caFile)}` : "tls=false";
  const rest = `${user}${host}:${relay.port}?${parameters}`;
  return {
    connectionString: `esdb://${rest}`,
    discoverString: `esdb+discover://${rest}`,
    port: relay.port,
    faults,
    store,
    records: store.records,
    events: () => store.records.filter(({ stream }) => !stream.startsWith("$")),
    cut: relay.cut,
    freeze: () => relay.freeze(),
    thaw: () => relay.thaw(),
    stop: () => relay.close(),
    start: () => relay.listen(),
    async close() {
      await relay.close();
      server.forceShutdown();
    },
  };
}

/** The server itself is at a port of its own; clients come through the relay. */
function listen(server: Server, tls: Certificate | undefined): Promise<number> {
  const credentials =
    tls === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(null, [
          { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.certificate) },
        ]);
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}

/** A method is not waited for; what it throws is a bug, and ends the process. */
const started =
  <Arguments extends unknown[]>(method: (...given: Arguments) => Promise<void>) =>
  (...given: Arguments): void =>
    void method(...given);

function unimplemented(_: unknown, answer: sendUnaryData<never>): void {
  answer({ code: status.UNIMPLEMENTED, details: "the double does not serve this" });
}
