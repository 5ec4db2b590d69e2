import {
  Agent,
  createServer,
  request as ask,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/** What a load balancer knows of one copy. */
export type Place = {
  readonly url: string;
  ready: boolean;
  /** Requests that it was given. */
  asked: number;
};

type Seen = {
  readonly elsewhere: number;
  readonly nobody: number;
  readonly cut: readonly string[];
  readonly streams: number;
};

/** One address for several copies, as a load balancer that remembers nobody: each request goes to the next copy that says that it is ready. */
export type Front = {
  readonly url: string;
  readonly places: readonly Place[];
  /**
   * Connections that were refused and went to another copy, requests for which no copy was ready, requests whose copy went away before it had answered or amid its answer, each in words, and streams of
   * events that broke off, which their readers open again. Where the caller has left, nothing counts.
   */
  readonly seen: Seen;
  close(): Promise<void>;
};

const isStream = ({ headers }: IncomingMessage): boolean =>
  headers["content-type"]?.startsWith("text/event-stream") ?? false;

/** Between two looks at `/readyz`. */
const lookMs = 200;

/** Asks a copy whether it is ready. */
const look = (place: Place): void =>
  void fetch(`${place.url}/readyz`, { signal: AbortSignal.timeout(5 * lookMs) }).then(
    async (answer) => {
      await answer.body?.cancel();
      place.ready = answer.ok;
    },
    () => void (place.ready = false),
  );

export async function openFront(urls: readonly string[]): Promise<Front> {
  const places = urls.map((url): Place => ({ url, ready: true, asked: 0 }));
  const seen = { elsewhere: 0, nobody: 0, cut: [] as string[], streams: 0 };
  const brokeOff = (answer: IncomingMessage, what: string): void =>
    void (isStream(answer) ? seen.streams++ : seen.cut.push(`${what} amid its answer`));
  const agent = new Agent({ keepAlive: true });
  let turn = 0;
  const next = (but: ReadonlySet<Place>): Place | undefined => {
    const left = places.filter((place) => place.ready && !but.has(place));
    return left[turn++ % left.length];
  };

  function pass(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    const refused = new Set<Place>();
    const tryNext = (): void => {
      const place = next(refused);
      if (place === undefined) {
        seen.nobody++;
        return void response.writeHead(503, { "retry-after": "1" }).end();
      }
      const { hostname, port } = new URL(place.url);
      const { method, url: path, headers } = request;
      const upstream = ask({ hostname, port, method, path, headers, agent }, (answer) => {
        response.writeHead(answer.statusCode!, answer.rawHeaders);
        answer.pipe(response);
        answer.once("error", () => {
          if (!response.destroyed) brokeOff(answer, `${method} ${path}`);
          response.destroy();
        });
      });
      response.once("close", () => upstream.destroy());
      upstream.once("error", (error: NodeJS.ErrnoException) => {
        // Nothing was sent to who refuses the connection; whatever else went wrong, nobody knows what was done.
        if (error.code === "ECONNREFUSED") {
          seen.elsewhere++;
          refused.add(place);
          return tryNext();
        }
        const what = `${method} ${path} before its answer: ${error.message}`;
        if (!response.writableEnded && !response.destroyed) seen.cut.push(what);
        response.destroy();
      });
      place.asked++;
      upstream.end(body);
    };
    tryNext();
  }

  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => void pieces.push(piece));
    request.once("end", () => pass(request, response, Buffer.concat(pieces)));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const looking = setInterval(() => places.forEach(look), lookMs);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    places,
    seen,
    async close() {
      clearInterval(looking);
      agent.destroy();
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}
