import { serverVariable, startServer } from "./server.ts";

/** Vitest calls this once a run, before the workers start: they inherit the variable and share the server. */
export async function setup(): Promise<() => Promise<void>> {
  const server = await startServer();
  process.env[serverVariable] = JSON.stringify(server.config);
  return () => server.stop();
}
