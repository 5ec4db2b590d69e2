import { afterAll, describe } from "vitest";
import { eventStoreDouble, realEventStore } from "../src/eventstore/index.ts";
import { behaviour } from "./eventstore-behaviour.ts";

describe("the double", () => {
  behaviour(async () => {
    const double = await eventStoreDouble();
    return { url: double.connectionString, close: double.close };
  });
});

const real = await realEventStore();
afterAll(() => real.stop?.());

// The reason for skipping it has been printed.
describe.skipIf(real.connectionString === undefined)("EventStoreDB", () => {
  behaviour(async () => ({ url: real.connectionString ?? "", close: async () => undefined }));
});
