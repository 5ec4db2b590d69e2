import { openMemoryLog } from "../src/index.ts";
import { contract } from "./contract.ts";

contract("memory", async (options) => {
  const log = openMemoryLog(options);
  return { log, other: log, close: () => log.close() };
});
