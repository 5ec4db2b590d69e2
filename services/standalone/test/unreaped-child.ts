// Runs the product, kills everything of it, and runs it again, and prints what it saw. For a container of its own, whose first
// process this is: Node waits for its own children only, so a postmaster whose owner was killed stays a zombie here.
import { readFileSync } from "node:fs";
import { apiClient, postgresProcesses, startInstance, until } from "@heliograph/testkit";

const [dataDir = "", message = ""] = process.argv.slice(2);
const statusOf = async (baseUrl: string, key: string, id: string): Promise<string> =>
  (await apiClient(baseUrl, key).get(`/messages/${id}`)).body.status;

const first = await startInstance({ dataDir });
const sent = await apiClient(first.baseUrl, first.sandboxKey).post(
  "/messages",
  JSON.parse(message),
);
const { id } = sent.body;
await until(async () => (await statusOf(first.baseUrl, first.sandboxKey, id)) === "delivered", {
  what: "it is delivered",
  timeoutMs: 30_000,
});
const [postmaster] = postgresProcesses(dataDir);
await first.killAll();
const state = /\) (\S)/s.exec(readFileSync(`/proc/${postmaster}/stat`, "utf8"))?.[1];
const second = await startInstance({ dataDir });
const status = await statusOf(second.baseUrl, second.sandboxKey, id);
const { code } = await second.stop();
process.stdout.write(`${JSON.stringify({ first: process.pid, state, status, code })}\n`);
process.exit();
