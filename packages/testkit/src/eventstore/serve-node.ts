import features from "@eventstore/db-client/generated/serverfeatures_pb.js";
import gossip from "@eventstore/db-client/generated/gossip_pb.js";
import shared from "@eventstore/db-client/generated/shared_pb.js";
import type { sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import type { Gate } from "./gate.ts";

const { LEADER, FOLLOWER } = gossip.MemberInfo.VNodeState;

/** What the node can do, asked by clients before their first append; without BatchAppend for those that shall append call by call. Anybody may ask: clients send no credentials here. */
export function featuresMethod(gate: Gate, batches: boolean) {
  const names = batches ? ["batchappend", "append", "read"] : ["append", "read"];
  return async function getSupportedMethods(
    _: ServerUnaryCall<unknown, features.SupportedMethods>,
    answer: sendUnaryData<features.SupportedMethods>,
  ): Promise<void> {
    if (!gate.request()) return;
    const methods = names.map((name) =>
      new features.SupportedMethod()
        .setMethodName(name)
        .setServiceName("event_store.client.streams.streams"),
    );
    if (!(await gate.answer())) return;
    const supported = new features.SupportedMethods()
      .setEventStoreServerVersion("24.10.0")
      .setMethodsList(methods);
    answer(null, supported);
  };
}

/** The members of the cluster, for `esdb+discover`: this node, and its leader when it has one. Anybody may ask, as on a real node. */
export function gossipMethod(gate: Gate, port: () => number) {
  return async function read(
    _: ServerUnaryCall<unknown, gossip.ClusterInfo>,
    answer: sendUnaryData<gossip.ClusterInfo>,
  ): Promise<void> {
    if (!gate.request()) return;
    const { leaderPort } = gate.faults;
    const members = [member(port(), leaderPort === undefined ? LEADER : FOLLOWER)];
    if (leaderPort !== undefined) members.push(member(leaderPort, LEADER));
    if (!(await gate.answer())) return;
    answer(null, new gossip.ClusterInfo().setMembersList(members));
  };
}

const member = (port: number, state: gossip.MemberInfo.VNodeState): gossip.MemberInfo =>
  new gossip.MemberInfo()
    .setInstanceId(new shared.UUID().setString(crypto.randomUUID()))
    .setTimeStamp(String(BigInt(Date.now()) * 10_000n))
    .setState(state)
    .setIsAlive(true)
    .setHttpEndPoint(new gossip.EndPoint().setAddress("127.0.0.1").setPort(port));
