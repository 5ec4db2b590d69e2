import { createServer } from "node:net";

/** Below what Linux and macOS give to who asks for any port and to outgoing connections: one of those could take a port before the program does that it was found for. */
const lowest = 20_000;
const count = 12_000;
const attempts = 50;

/** A port of 127.0.0.1 that was free a moment ago; prefer listening on port 0 where the program can tell its port. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const port = lowest + Math.floor(Math.random() * count);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port is free in ${attempts} from ${lowest} up`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1" }, () => server.close(() => resolve(true)));
  });
}
