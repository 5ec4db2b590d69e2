import { passesFilters, typesNamed, type Endpoint, type LifecycleSource } from "@heliograph/domain";
import { isIdle, newLane, targetOf, trustAnew, type Lane } from "./lane.ts";

/** A lane that sent nothing for so long gives its connections and memory back. */
const idleMs = 60_000;
/** Such lanes are looked for this often. */
export const evictEveryMs = 30_000;

/** What a disabled endpoint misses is kept for so long after it was last changed. Whoever has not enabled it by then wants no replay, and each event would cost a row for ever. */
export const keepMissedMs = 28 * 24 * 60 * 60 * 1_000;

/** An endpoint and what it is told, looked at for each event of its partner; undefined is every type. */
type Subscriber = {
  readonly endpoint: Endpoint;
  readonly types: ReadonlySet<string> | undefined;
  /** Later events are none of its. */
  readonly untilMs: number;
};

const subscriberOf = (endpoint: Endpoint): Subscriber => ({
  endpoint,
  types: endpoint.event_types === null ? undefined : typesNamed(endpoint.event_types),
  untilMs:
    endpoint.status === "enabled" ? Infinity : Date.parse(endpoint.updated_at) + keepMissedMs,
});

/** The endpoints as of the newest event seen, and a lane for each that has something to do. */
export class Lanes {
  readonly #masterKey: Buffer;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #byPartner = new Map<string, Map<string, Subscriber>>();
  readonly #lanes = new Map<string, Lane>();
  readonly #holders: (() => Iterable<string>)[] = [() => this.#busy()];
  #evictedAt = 0;

  constructor(masterKey: Buffer, endpoints: readonly Endpoint[]) {
    this.#masterKey = masterKey;
    for (const endpoint of endpoints) this.set(endpoint);
  }

  endpoint(id: string): Endpoint | undefined {
    return this.#endpoints.get(id);
  }

  /** Takes a new state of an endpoint; its lane, if it has one, goes on with it. */
  set(endpoint: Endpoint): void {
    const mine = this.#byPartner.get(endpoint.partner) ?? new Map<string, Subscriber>();
    this.#byPartner.set(endpoint.partner, mine);
    if (endpoint.status === "deleted") mine.delete(endpoint.id);
    else mine.set(endpoint.id, subscriberOf(endpoint));
    if (endpoint.status === "deleted") this.#endpoints.delete(endpoint.id);
    else this.#endpoints.set(endpoint.id, endpoint);
    const lane = this.#lanes.get(endpoint.id);
    if (lane === undefined) return;
    const target = targetOf(endpoint, this.#masterKey);
    const moved = endpoint.url !== lane.endpoint.url;
    const redialed = moved || endpoint.http2 !== lane.endpoint.http2;
    if (redialed || endpoint.status !== "enabled") disconnect(lane);
    if (moved || (endpoint.status === "enabled" && lane.endpoint.status !== "enabled"))
      trustAnew(lane);
    // What waits in the table from before may come first.
    if (endpoint.ordering !== undefined && lane.endpoint.ordering === undefined) lane.behind = true;
    lane.endpoint = endpoint;
    lane.target = target;
  }

  /** The partner's endpoints that want this event, whose public type is `type`. What a disabled one misses is discarded, so that a replay finds it, for the first weeks. */
  *matching(partner: string, type: string, event: LifecycleSource): Generator<Endpoint> {
    for (const { endpoint, types, untilMs } of this.#byPartner.get(partner)?.values() ?? [])
      if (
        event.recordedAt < untilMs &&
        (types === undefined || types.has(type)) &&
        (endpoint.filters === undefined || passesFilters(endpoint.filters, event))
      )
        yield endpoint;
  }

  /** The lane of an endpoint; undefined when the endpoint is unknown or deleted. */
  lane(id: string, now: number): Lane | undefined {
    const known = this.#lanes.get(id);
    if (known !== undefined) return known;
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined) return undefined;
    const lane = newLane(endpoint, this.#masterKey, now);
    this.#lanes.set(id, lane);
    return lane;
  }

  /** The lane of an endpoint, if it has one. */
  open(id: string): Lane | undefined {
    return this.#lanes.get(id);
  }

  get size(): number {
    return this.#lanes.size;
  }

  [Symbol.iterator](): Iterator<Lane> {
    return this.#lanes.values();
  }

  /** Says who holds lanes that may have nothing to do: endpoints of which something is read, written, released or disabled, whose end finds the lane that it began with. Asked only when lanes are dropped. */
  heldBy(holder: () => Iterable<string>): void {
    this.#holders.push(holder);
  }

  /** Drops lanes that nobody holds and that were not used for a while: what a lane knows of its endpoint is lost with it. */
  evictIdle(now: number): void {
    if (now - this.#evictedAt <= evictEveryMs && now >= this.#evictedAt) return;
    this.#evictedAt = now;
    const held = new Set(this.#holders.flatMap((holder) => [...holder()]));
    for (const [id, lane] of this.#lanes) {
      lane.connections?.sweep();
      if (held.has(id) || now - lane.usedAt <= idleMs) continue;
      disconnect(lane);
      this.#lanes.delete(id);
    }
  }

  /** Lanes that hold themselves: those that have something to send or to wait for, in memory or in the table, and those closed before the log has come to it, for a new one would be open. */
  *#busy(): Generator<string> {
    for (const [id, lane] of this.#lanes) {
      const known = this.#endpoints.get(id);
      const isAhead = known !== undefined && known.status !== lane.endpoint.status;
      if (isAhead || !isIdle(lane) || lane.nextDue !== Infinity) yield id;
    }
  }

  close(): void {
    for (const lane of this.#lanes.values()) disconnect(lane);
  }
}

/** Lets go of the connections; requests on them are finished or aborted by their owner. */
function disconnect(lane: Lane): void {
  lane.connections?.close();
  lane.connections = undefined;
}
