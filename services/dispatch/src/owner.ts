import { failpoint } from "@heliograph/contracts";
import { Fenced, type Checkpoint, type ReactorTools, type WritePart } from "@heliograph/runtime";
import type { Ownership } from "./caller.ts";
import type { Committing } from "./desk.ts";
import type { Inbox } from "./inbox.ts";

/** What only the owner of the checkpoint may do, and what follows when it is not the owner any more, or something is out of order. */
export class Owner implements Ownership {
  readonly #checkpoint: Checkpoint;
  readonly #inbox: Inbox;
  readonly #tools: Pick<ReactorTools, "fail" | "logger">;
  readonly #hard = new AbortController();
  #provedAt = performance.now();
  #stopping = false;
  readonly #committed = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();

  constructor(tools: Pick<ReactorTools, "checkpoint" | "fail" | "logger">, inbox: Inbox) {
    this.#checkpoint = tools.checkpoint;
    this.#tools = tools;
    this.#inbox = inbox;
  }

  get alive(): boolean {
    return !this.#hard.signal.aborted;
  }
  /** Ends when this owner makes no further call and needs no outcome. */
  get ended(): AbortSignal {
    return this.#hard.signal;
  }
  get provedAt(): number {
    return this.#provedAt;
  }

  async prove(): Promise<boolean> {
    if (!this.alive) return false;
    try {
      await this.#checkpoint.commit(this.#checkpoint.position);
      this.#provedAt = performance.now();
      return true;
    } catch (error) {
      this.broken(error);
      return false;
    }
  }

  async commit(commit: Committing, parts: readonly WritePart[]): Promise<void> {
    try {
      await failpoint("dispatch.before_intent");
      await this.#checkpoint.commit(commit.position, parts);
      this.#provedAt = performance.now();
      await failpoint("dispatch.after_intent");
      this.#inbox.put({ type: "committed", commit });
    } catch (error) {
      if (commit.last) this.#committed.reject(error);
      else this.broken(error, true);
    }
  }

  broken(error: unknown, commit = false): void {
    const fenced = error instanceof Fenced;
    if (this.#stopping && !fenced)
      this.#tools.logger.error({ err: error }, "dispatch failed while it stopped");
    this.#stopping = true;
    if (fenced) this.#hard.abort();
    this.#inbox.put({ type: "broken", commit });
    this.#tools.fail(error);
  }

  stop(): void {
    this.#stopping = true;
    this.#inbox.put({ type: "stop" });
  }
  /** Commits everything that is left. */
  finish(): Promise<void> {
    this.#inbox.put({ type: "finish" });
    return this.#committed.promise;
  }
  /** No further call is made, and the gateways have back what they gave. */
  end(): Promise<void> {
    this.#hard.abort();
    this.#inbox.put({ type: "close" });
    return this.#closed.promise;
  }
  over(what: "commits" | "desk"): void {
    (what === "commits" ? this.#committed : this.#closed).resolve();
  }
}
