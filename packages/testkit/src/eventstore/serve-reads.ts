import type streams from "@eventstore/db-client/generated/streams_pb.js";
import { status, type ServerWritableStream } from "@grpc/grpc-js";
import type { Gate } from "./gate.ts";
import {
  answersAtPlace,
  BadPosition,
  isSubscription,
  readAnswers,
  subscriptionAnswers,
} from "./read.ts";
import type { DoubleStore } from "./store.ts";

type ReadCall = ServerWritableStream<streams.ReadReq, streams.ReadResp>;

/** Reads that end, and subscriptions that go on until the client or the connection ends. */
export function readMethod(gate: Gate, store: DoubleStore) {
  return async function read(call: ReadCall): Promise<void> {
    call.on("error", () => undefined);
    if (!gate.request()) return;
    const leader = call.metadata.get("requires-leader")[0] === "true";
    const refused = gate.refusal(call.metadata) ?? (leader ? gate.notLeader() : undefined);
    if (refused !== undefined) return void call.emit("error", refused);
    const request = call.request.getOptions()!;
    if (gate.faults.failStreamReads && request.hasStream())
      return void call.emit("error", { code: status.UNKNOWN, details: "Unknown" });
    try {
      if (isSubscription(request)) return await follow(gate, store, call, request);
      if (gate.faults.slowSearch && request.hasFilter())
        return void (await sendAll(gate, call, answersAtPlace(store, request)));
      if (await sendAll(gate, call, readAnswers(store, request))) call.end();
    } catch (error) {
      if (!(error instanceof BadPosition)) throw error;
      call.emit("error", { code: status.INVALID_ARGUMENT, details: error.message });
    }
  };
}

async function follow(
  gate: Gate,
  store: DoubleStore,
  call: ReadCall,
  request: streams.ReadReq.Options,
): Promise<void> {
  const answers = subscriptionAnswers(store, request);
  let sending = false;
  let again = false;
  const send = async (): Promise<void> => {
    again = true;
    if (sending) return;
    sending = true;
    while (again) {
      again = false;
      // What was cut or hangs has no more to say: the place in the log is not known to the client.
      if (!(await sendAll(gate, call, answers()))) return stop();
    }
    sending = false;
  };
  const { subscriptions } = gate.faults;
  const open = {
    end(): void {
      stop();
      call.end();
    },
    mute: (): void => ignore(),
  };
  const ignore = store.onWrite(() => void send());
  const stop = (): void => {
    ignore();
    subscriptions.delete(open);
  };
  subscriptions.add(open);
  call.on("cancelled", stop);
  call.on("close", stop);
  await send();
}

/** False when it was cut on the way. */
async function sendAll(
  gate: Gate,
  call: ReadCall,
  answers: Iterable<streams.ReadResp>,
): Promise<boolean> {
  for (const answer of answers) {
    if (call.cancelled || !(await gate.answer()) || call.writableEnded) return false;
    if (!call.write(answer)) await drained(call);
  }
  return !call.cancelled;
}

const drained = (call: ReadCall): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      for (const name of ["drain", "cancelled", "close"]) call.removeListener(name, done);
      resolve();
    };
    for (const name of ["drain", "cancelled", "close"]) call.on(name, done);
  });
