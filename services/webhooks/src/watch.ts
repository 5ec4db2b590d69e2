import type { ReactorTools } from "@heliograph/runtime";
import { disableEndpoint, tellOfHealth } from "./disable.ts";
import type { Health } from "./health.ts";
import type { Lane } from "./lane.ts";
import type { AttemptOutcome } from "./tables/statistics.ts";
import type { Tally } from "./tally.ts";

const dayMs = 24 * 3_600_000;

/** Looks at what attempts come to: counts them, tells owners of endpoints that fail or answer again, and says when one is to be disabled. */
export class Watch {
  readonly #tools: ReactorTools;
  readonly #tally: Tally;
  readonly #health: Health;
  readonly #telling = new Set<string>();

  constructor(tools: ReactorTools, tally: Tally, health: Health) {
    this.#tools = tools;
    this.#tally = tally;
    this.#health = health;
  }

  /** An attempt ended, `now` in epoch ms. Gives why its endpoint is to be disabled, if it is. */
  ended(
    { endpoint }: Lane,
    outcome: AttemptOutcome,
    durationMs: number,
    now: number,
  ): string | undefined {
    const at = { now, tick: performance.now() };
    this.#tally.count(endpoint.id, outcome, durationMs, now);
    if (outcome === "delivered") {
      const before = this.#health.delivered(endpoint.id, at);
      if (before !== undefined)
        this.#tell(endpoint, before.since, undefined, () => this.#health.recovered(endpoint.id));
      return undefined;
    }
    const advice = this.#health.failed(endpoint.id, outcome, at);
    if (advice === "tell")
      this.#tell(endpoint, this.#health.since(endpoint.id)!, outcome, () =>
        this.#health.told(endpoint.id),
      );
    if (advice !== "disable") return undefined;
    const days =
      this.#tools.context.settings.webhookDisableAfterMs[this.#tools.context.environment] / dayMs;
    return `nothing but failures for ${days} days, the last one: ${outcome}`;
  }

  /** Throws when the log is away. */
  disable(endpoint: Lane["endpoint"], eventId: string, reason: string): Promise<void> {
    const { log, directory, environment } = this.#tools.context;
    const partner = directory.spaceOf(environment, endpoint.partner);
    return disableEndpoint(log, endpoint, eventId, reason, partner);
  }

  /** With the log away the next attempt tells. */
  #tell(
    endpoint: Lane["endpoint"],
    since: number,
    error: string | undefined,
    then: () => void,
  ): void {
    if (this.#telling.has(endpoint.id)) return;
    this.#telling.add(endpoint.id);
    const { log, directory, environment } = this.#tools.context;
    tellOfHealth(log, endpoint, since, error, directory.spaceOf(environment, endpoint.partner))
      .then(then, (error: unknown) =>
        this.#tools.logger.warn({ error, endpoint: endpoint.id }, "an owner was not told yet"),
      )
      .finally(() => this.#telling.delete(endpoint.id));
  }
}
