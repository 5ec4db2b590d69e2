import { eventStoreDouble, realEventStore } from "@heliograph/testkit/eventstore";
import { randomUUID } from "node:crypto";
import { afterAll, describe } from "vitest";
import { openEventStoreLog } from "../src/index.ts";
import { contract } from "./contract.ts";
import type { Open } from "./contract-open.ts";

/** Each test has a namespace of its own, beside another whose records lie between. */
const on =
  (server: () => Promise<{ readonly connectionString: string; close(): Promise<void> }>): Open =>
  async (options) => {
    const { connectionString, close } = await server();
    const namespace = `n${randomUUID().slice(0, 8)}`;
    const open = () => openEventStoreLog({ connectionString, namespace, ...options });
    const [log, other] = await Promise.all([open(), open()]);
    return {
      log,
      other,
      async close() {
        await Promise.all([log.close(), other.close()]);
        await close();
      },
    };
  };

contract("EventStoreDB (double)", on(eventStoreDouble), "sparse");

const real = await realEventStore();
describe.skipIf(real.skip !== undefined)("on a real server", () => {
  afterAll(() => real.stop?.());
  const server = async () => ({
    connectionString: real.connectionString ?? "",
    close: async () => undefined,
  });
  contract("EventStoreDB", on(server), "sparse");
});
