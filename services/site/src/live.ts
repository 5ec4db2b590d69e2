import type { Logger } from "@heliograph/runtime";

/** `GET /prices/standard`. */
export type Prices = {
  readonly list: string;
  readonly version: number;
  readonly currency: string;
  readonly entries: readonly {
    readonly channel: string;
    readonly prefix: string;
    readonly category?: string | undefined;
    readonly min_segments?: number | undefined;
    readonly per_segment: string;
  }[];
};

/** `GET /status`. */
export type State = {
  readonly status: string;
  readonly at: string;
  readonly environments: readonly {
    readonly environment: string;
    readonly consumers: number;
    readonly not_running: number;
    readonly lag_events: number;
    readonly lag_ms: number;
  }[];
};

/** What a form for an evaluation shows: what was typed, and what is wrong with it by field. */
export type Form = {
  readonly token: string | undefined;
  readonly values: Readonly<Record<string, string>>;
  readonly faults: Readonly<Record<string, string>>;
};

/** What the platform says at the moment; undefined where it was not asked or does not answer. */
export type Live = {
  readonly prices?: Prices | undefined;
  readonly state?: State | undefined;
  readonly form?: Form | undefined;
};

/** Longer nobody waits for a page. */
const deadlineMs = 2_000;

/** What the public routes of the API answer; undefined when they do not in time. */
async function ask<Answer>(
  api: string,
  path: string,
  logger: Logger | undefined,
): Promise<Answer | undefined> {
  try {
    const response = await fetch(`${api}/api/v1${path}`, {
      signal: AbortSignal.timeout(deadlineMs),
      redirect: "error",
    });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return (await response.json()) as Answer;
  } catch (error) {
    logger?.warn({ err: error, path }, "the API did not answer the site");
    return undefined;
  }
}

/** Asks for what one page needs. */
export async function askFor(need: keyof Live, api: string, logger?: Logger): Promise<Live> {
  switch (need) {
    case "prices":
      return { prices: await ask<Prices>(api, "/prices/standard", logger) };
    case "state":
      return { state: await ask<State>(api, "/status", logger) };
    case "form": {
      const given = await ask<{ token: string }>(api, "/evaluations/form", logger);
      return { form: { token: given?.token, values: {}, faults: {} } };
    }
    default:
      return need satisfies never;
  }
}
