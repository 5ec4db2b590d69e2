import { connect, type Socket } from "node:net";

/** A request that is written again and again, and what is done with each answer. */
export type Load = {
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  /** The whole request, head and body, of the nth call. */
  readonly request: (n: number) => string;
  /** Is given each answer, head and body. */
  readonly answered?: (answer: string) => void;
};
export type LoadResult = {
  readonly answers: number;
  readonly seconds: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of each answer, in milliseconds, ascending. */
  readonly times: readonly number[];
};

/**
 * Keep-alive connections that write prepared bytes and look only for the end of each answer, so that on two cores the generator takes as little as
 * can be from the servers it measures. `ratePerSecond` opens the loop: calls start on time whether or not earlier ones have been answered, as long as a
 * connection is free.
 */
export async function drive(
  load: Load,
  options: {
    readonly durationMs: number;
    readonly ratePerSecond?: number;
    readonly maxCalls?: number;
  },
): Promise<LoadResult> {
  const statuses: Record<string, number> = {};
  const times: number[] = [];
  const start = performance.now();
  const end = start + options.durationMs;
  let started = 0;
  let answers = 0;
  const idle: Connection[] = [];
  const maxCalls = options.maxCalls ?? Infinity;

  const next = (connection: Connection): void => {
    const now = performance.now();
    if (now >= end || started >= maxCalls) return connection.end();
    if (
      options.ratePerSecond !== undefined &&
      started >= ((now - start) / 1000) * options.ratePerSecond
    ) {
      idle.push(connection);
      return;
    }
    connection.send(load.request(started++));
  };
  const answered = (connection: Connection, status: string, ms: number): void => {
    statuses[status] = (statuses[status] ?? 0) + 1;
    times.push(ms);
    answers++;
    next(connection);
  };
  const connections = await Promise.all(
    Array.from({ length: load.connections }, () => openConnection(load, answered)),
  );
  for (const connection of connections) next(connection);
  const pacer =
    options.ratePerSecond === undefined
      ? undefined
      : setInterval(() => {
          for (let budget = idle.length; budget > 0; budget--) next(idle.shift()!);
        }, 1);
  await Promise.all(connections.map((connection) => connection.ended));
  clearInterval(pacer);
  times.sort((left, right) => left - right);
  const at = (share: number): number =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return {
    answers,
    seconds: (performance.now() - start) / 1000,
    statuses,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    times,
  };
}

type Connection = { send(request: string): void; end(): void; readonly ended: Promise<void> };

async function openConnection(
  load: Load,
  answered: (connection: Connection, status: string, ms: number) => void,
): Promise<Connection> {
  const socket: Socket = connect({ host: load.host, port: load.port, noDelay: true });
  await new Promise<void>((resolve, reject) =>
    socket.once("connect", resolve).once("error", reject),
  );
  let sentAt = 0;
  let buffered = "";
  const connection: Connection = {
    send(request) {
      sentAt = performance.now();
      socket.write(request);
    },
    end() {
      socket.end();
    },
    ended: new Promise((resolve) => socket.once("close", () => resolve())),
  };
  socket.setEncoding("latin1");
  socket.on("error", () => undefined);
  socket.on("data", (chunk: string) => {
    buffered = buffered === "" ? chunk : buffered + chunk;
    const head = buffered.indexOf("\r\n\r\n");
    if (head === -1) return;
    const length = /content-length: (\d+)/i.exec(buffered.slice(0, head));
    if (buffered.length < head + 4 + Number(length?.[1] ?? 0)) return;
    const status = buffered.slice(9, 12);
    load.answered?.(buffered);
    buffered = "";
    answered(connection, status, performance.now() - sentAt);
  });
  return connection;
}

/** A POST with a JSON body as bytes on the wire. */
export function postRequest(
  host: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): string {
  const lines = Object.entries({
    host,
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    ...headers,
  });
  return `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`;
}
