import type { Placement, Sharing } from "./sharing.ts";
import { givenTypes, type Unit } from "./source.ts";
import type { Consumer, Feed, FeedMember } from "./types.ts";

/** The time during which a unit may run in this process, as far as the feed decides that. */
export type Turn = {
  /** Ends when the feed gives the unit to another process. */
  readonly signal: AbortSignal;
  /** The membership through which the unit's events come; undefined when they come from the log. To be called once the unit is owned. */
  join(): FeedMember | undefined;
  /** The unit failed, or could not ask for its lease: where that goes on, another process has its next turn. */
  failed(): void;
  /** It has run as it should. */
  sound(): void;
  end(): Promise<void>;
};

const unlimited: Turn = {
  signal: new AbortController().signal,
  join: () => undefined,
  failed: () => undefined,
  sound: () => undefined,
  end: async () => undefined,
};

/**
 * This process' part in the consumer groups of a feed. A sharded consumer is a member from the start, and its shards run where the group puts them. A whole one joins when it holds the
 * lease and leaves with it: standbys in the group would only take partitions away from the owner, who needs them all. Without a feed the events come from the log, and shards run where the copies
 * share them to.
 */
export class Groups {
  readonly #feed: Feed | undefined;
  readonly #sharing: Sharing | undefined;
  readonly #members = new Map<
    string,
    { readonly placement: Placement; readonly feed?: FeedMember }
  >();
  readonly #changed = new Map<string, Set<() => void>>();

  constructor(feed: Feed | undefined, sharing: Sharing | undefined) {
    this.#feed = feed;
    this.#sharing = sharing;
  }

  /** Waits until the unit may run here; an ended signal ends the wait, with a turn that has ended too. */
  async turn(unit: Unit, stopping: AbortSignal): Promise<Turn> {
    const { consumer, shard } = unit;
    if (shard === undefined) return this.#wholeTurn(unit);
    const { placement: member, feed } = this.#memberOf(unit);
    const over = new AbortController();
    const listeners = this.#changed.get(consumer.name)!;
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!stopping.aborted && !member.assigned(shard)) return;
        listeners.delete(look);
        stopping.removeEventListener("abort", look);
        resolve();
      };
      listeners.add(look);
      stopping.addEventListener("abort", look, { once: true });
      look();
    });
    const revoked = (): void => {
      if (!member.assigned(shard)) over.abort();
    };
    listeners.add(revoked);
    revoked();
    return {
      signal: over.signal,
      join: () => feed,
      failed: () => member.failed?.(shard),
      sound: () => member.sound?.(shard),
      end: async () => void listeners.delete(revoked),
    };
  }

  #wholeTurn({ consumer }: Unit): Turn {
    const feed = this.#feed;
    if (feed === undefined || consumer.feed === "log") return unlimited;
    let member: FeedMember | undefined;
    return {
      ...unlimited,
      join: () => (member = feed.join(partOf(consumer, false))),
      end: async () => member?.leave(),
    };
  }

  #memberOf({ consumer }: Unit): { readonly placement: Placement; readonly feed?: FeedMember } {
    const known = this.#members.get(consumer.name);
    if (known !== undefined) return known;
    const feed = this.#feed?.join(partOf(consumer, true));
    const placement = feed ?? this.#sharing!.join(consumer.name);
    const member = { placement, ...(feed && { feed }) };
    const listeners = new Set<() => void>();
    this.#members.set(consumer.name, member);
    this.#changed.set(consumer.name, listeners);
    placement.onChange(() => {
      for (const listener of listeners) listener();
    });
    return member;
  }

  async leave(): Promise<void> {
    await Promise.all([...this.#members.values()].map(({ placement }) => placement.leave()));
  }
}

const partOf = (consumer: Consumer, sharded: boolean) => ({
  name: consumer.name,
  types: givenTypes(consumer),
  sharded,
});
