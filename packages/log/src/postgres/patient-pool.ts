import pg from "pg";
import { connectedTo, refusalOf, refusedBy } from "./outage.ts";

export type Patience = {
  /** Whoever waits for a connection hears that the database is away when it has answered nobody for so long. */
  readonly silenceMs: number;
  /** While it answers others: the longest wait for one's turn. */
  readonly longestMs: number;
};

const lookEveryMs = 500;
/** What pg's own pool says, by which callers know it. */
const message = "timeout exceeded when trying to connect";

type Callback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: unknown) => void,
) => void;
type Waiter = { readonly since: number; readonly begin: (error?: Error) => void };

/**
 * A pool that tells a database that is away from one that has others to answer first. pg's own gives everybody the same seconds, whichever of the two they wait for: where a machine had no
 * processor time to spare and dozens of consumers started on four connections, most were told that the database was away, began again, and asked for more.
 */
export class PatientPool extends pg.Pool {
  readonly #patience: Patience;
  readonly #waiting: Waiter[] = [];
  /** Connections that somebody has or is being given. */
  #taken = 0;
  #answeredAt = 0;
  #looking: NodeJS.Timeout | undefined;

  constructor(config: pg.PoolConfig, patience: Patience) {
    super(config);
    this.#patience = patience;
    this.on("connect", () => {
      this.#answeredAt = performance.now();
      connectedTo(this.options);
    });
    this.on("release", (error: unknown) => {
      if (!error || error instanceof pg.DatabaseError) this.#answeredAt = performance.now();
      this.#gaveBack();
    });
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: Callback): void;
  override connect(callback?: Callback): Promise<pg.PoolClient> | void {
    if (callback !== undefined) return this.#inTurn(callback);
    return new Promise((resolve, reject) =>
      this.#inTurn((error, client) => (error ? reject(error) : resolve(client!))),
    );
  }

  override end(): Promise<void>;
  override end(callback: () => void): void;
  override end(callback?: () => void): Promise<void> | void {
    for (const { begin } of this.#waiting.splice(0)) begin(new Error("the pool has ended"));
    this.#rest();
    return callback === undefined ? super.end() : super.end(callback);
  }

  #inTurn(callback: Callback): void {
    // Who comes while a connection is on its way to somebody that waited waits behind them.
    if (this.#waiting.length === 0 && this.#taken < this.options.max) return this.#take(callback);
    this.#waiting.push({
      since: performance.now(),
      begin: (error) =>
        error === undefined ? this.#take(callback) : callback(error, undefined, () => undefined),
    });
    this.#looking ??= setInterval(() => this.#look(), lookEveryMs).unref();
  }

  #take(callback: Callback): void {
    const refusal = this.idleCount > 0 ? undefined : refusalOf(this.options);
    if (refusal !== undefined)
      return process.nextTick(() => callback(refusal, undefined, () => undefined));
    this.#taken++;
    super.connect((error, client, done) => {
      if (error) {
        refusedBy(this.options, error);
        this.#gaveBack();
      }
      callback(error, client, done);
    });
  }

  /** The connection is still in the hands of pg's pool: who is next asks for it when it is not. */
  #gaveBack(): void {
    this.#taken--;
    if (this.#waiting.length > 0) process.nextTick(() => this.#next());
  }

  #next(): void {
    while (this.#taken < this.options.max && this.#waiting.length > 0)
      this.#waiting.shift()!.begin();
    this.#rest();
  }

  #rest(): void {
    if (this.#waiting.length > 0) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  /** After the answers that have come: a process that stood still hears its timers before them. */
  #look(): void {
    setImmediate(() => {
      const { silenceMs, longestMs } = this.#patience;
      const now = performance.now();
      while (this.#waiting.length > 0) {
        const { since, begin } = this.#waiting[0]!;
        const isSilent = now - Math.max(since, this.#answeredAt) > silenceMs;
        if (!isSilent && now - since <= longestMs) break;
        this.#waiting.shift();
        begin(new Error(message));
      }
      this.#rest();
    });
  }
}
