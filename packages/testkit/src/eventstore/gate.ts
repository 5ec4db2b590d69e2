import { Metadata, status, type StatusObject } from "@grpc/grpc-js";
import type { FaultState } from "./faults.ts";
import type { Relay } from "./relay.ts";

export type Credentials = { readonly username: string; readonly password: string };

/** What every message of every call goes through: it is counted, and the faults strike here. */
export type Gate = {
  readonly faults: FaultState;
  /** False when the request must not be handled. */
  request(): boolean;
  /** False when the answer must not leave. */
  answer(): Promise<boolean>;
  /** Who sends no credentials where they are wanted, or wrong ones. */
  refusal(metadata: Metadata): Partial<StatusObject> | undefined;
  /** What a follower answers: where the leader is. */
  notLeader(): Partial<StatusObject> | undefined;
};

export function newGate(
  faults: FaultState,
  relay: () => Relay,
  credentials: Credentials | undefined,
): Gate {
  return {
    faults,
    request() {
      const place = faults.pass();
      // Cutting after a request waits until its handler has run.
      if (place === "after") setImmediate(() => relay().cut());
      else if (place !== undefined) relay().cut();
      return !faults.hang && (place === undefined || place === "after");
    },
    async answer() {
      const { slowMs } = faults;
      if (slowMs > 0) await new Promise((resolve) => setTimeout(resolve, slowMs));
      const place = faults.pass();
      if (place === "before") relay().cut();
      else if (place !== undefined) relay().cutNext(place === "middle" ? "half" : "whole");
      return !faults.hang && place !== "before";
    },
    refusal(metadata) {
      if (credentials === undefined) return undefined;
      const text = `${credentials.username}:${credentials.password}`;
      const wanted = `Basic ${Buffer.from(text).toString("base64")}`;
      return metadata.get("authorization")[0] === wanted
        ? undefined
        : { code: status.UNAUTHENTICATED, details: "Unauthenticated" };
    },
    notLeader() {
      if (faults.leaderPort === undefined) return undefined;
      const metadata = new Metadata();
      metadata.set("exception", "not-leader");
      metadata.set("leader-endpoint-host", "127.0.0.1");
      metadata.set("leader-endpoint-port", String(faults.leaderPort));
      return { code: status.NOT_FOUND, details: "Leader info available", metadata };
    },
  };
}
