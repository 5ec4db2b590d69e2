import { newLogger } from "@heliograph/runtime";
import { createConnections, type Connections } from "../src/connections.ts";

type Options = Parameters<typeof createConnections>[0];

/** Connections of a process that shares its gateways with no other. */
export const loneConnections = (
  options: Pick<Options, "now" | "bucketOf"> & Partial<Pick<Options, "environment">>,
): Connections =>
  createConnections({
    environment: "sandbox",
    retryScale: 1,
    partOf: (calls) => calls,
    tools: {
      logger: newLogger("silent"),
      masterKey: Buffer.alloc(32),
      declaring: { smtpUrls: [], logGatewayChannels: [] },
      onReceipt: async () => undefined,
      origin: "",
    },
    refused: (_, error) => {
      throw error;
    },
    ...options,
  });
