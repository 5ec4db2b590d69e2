import { accountOf, type Environment, type EventData } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";

export const poolTypes = ["SenderPoolConfigured", "SenderPoolRemoved"] as const;
export type SenderPool = EventData<"SenderPoolConfigured">;
type Pools = Map<string, readonly SenderPool[]>;

/** No id holds a blank. Pools of gateways are nobody's. */
const listKey = (environment: Environment, partner = ""): string => `${environment} ${partner}`;

/** Pools of several gateways may have one name: which of them comes first does not change when one is edited. No name holds a blank. */
const orderOf = ({ name, pool_id }: SenderPool): string => `${name} ${pool_id}`;

/** Folds one event of a pool's stream, in place. */
export function foldPool(pools: Pools, { type, data }: Pick<RecordedEvent, "type" | "data">): void {
  const { pool_id, environment, partner_id } = data as SenderPool | EventData<"SenderPoolRemoved">;
  const key = listKey(environment, partner_id);
  const others = (pools.get(key) ?? []).filter((pool) => pool.pool_id !== pool_id);
  const list = type === "SenderPoolConfigured" ? [...others, data as SenderPool] : others;
  if (list.length === 0) pools.delete(key);
  else
    pools.set(
      key,
      list.toSorted((one, other) => (orderOf(one) < orderOf(other) ? -1 : 1)),
    );
}

/** The lists are shared and never changed, and most partners have none. */
export function poolsOf(
  pools: Pools,
  environment: Environment,
  partner: string,
): readonly SenderPool[] {
  const own = pools.get(listKey(environment, accountOf(partner))) ?? none;
  const shared = pools.get(listKey(environment)) ?? none;
  return own.length === 0 ? shared : shared.length === 0 ? own : [...own, ...shared];
}
const none: readonly SenderPool[] = [];
