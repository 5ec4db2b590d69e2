import type { EventLog } from "@heliograph/log";
import type { Contact } from "./evolve.ts";

/** One for the installation; `streamOf` leaves a name without an id as it is. */
export const rotaStream = "rota-evaluations";

export type Rota = {
  readonly contacts: readonly Contact[];
  readonly set_at: string | undefined;
  /** Of the event that set it; 0n before there is one. */
  readonly position: bigint;
  readonly revision: number;
};

/** Who takes the next evaluations, in turn. */
export async function rotaOf(log: Pick<EventLog, "readStream">): Promise<Rota> {
  const [last] = await log.readStream(rotaStream, { backwards: true, limit: 1 });
  if (last?.type !== "EvaluationRotaSet")
    return { contacts: [], set_at: undefined, position: 0n, revision: -1 };
  return { ...last.data, position: last.position, revision: last.revision };
}
