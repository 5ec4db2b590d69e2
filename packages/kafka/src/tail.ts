import { pause } from "@heliograph/runtime";
import type { Group, OwnGroup, Sink } from "./member.ts";
import { append, covers, empty, from, halve, newRing, type Ring } from "./ring.ts";

/** Records kept over all partitions of a topic, for members that come to its end a little later or wait for room. */
const mostKept = 8_000;
const mostBytes = 32 * 1_048_576;
/**
 * Between two looks for partitions to which nothing came since the last: their records are of use to nobody, while one that nobody wanted to read holds the whole answer to the fetch that it
 * came with, up to 10 MiB.
 */
const quietMs = 10_000;
/** A partition that one member alone reads is fetched by that member. */
const fewestSharing = 2;
const retryMs = 1_000;

/** How a member of a process stands to one of its partitions. */
type Place = {
  /** The offset it wants next; undefined until something has come or it is told where its group goes on. */
  next: bigint | undefined;
  /** It is given what the tail has; else its own group fetches. */
  following: boolean;
  /** It has no room. */
  paused: boolean;
};

type Follower = {
  readonly places: Map<number, Place>;
  readonly sink: Sink;
  readonly group: OwnGroup;
};

/** A membership whose records come from the tail where they can. */
export type SharingGroup = Group & {
  /** Says where the group goes on in a partition, as far as nothing has come of it: a quiet partition would otherwise be fetched by its own group for ever. */
  startsAt(partition: number, offset: bigint): void;
};

/** What the tail needs of the cluster. */
export type TailTools = {
  /** Joins a group on the topic. */
  join(groupId: string, sink: Sink): OwnGroup;
  /** The offsets at the high end of every partition. */
  ends(): Promise<readonly { partition: number; high: string }[]>;
};

/**
 * Fetches the end of a topic once for all members of this process, where each group for itself took most of its CPU. A member joins its group, and its group fetches from the committed
 * offsets, until it has come to where the tail is; then its own fetching pauses and it is given the records of the tail, decoded once. One that falls behind what is kept, and all of them when
 * the tail breaks, go back to fetching for themselves at the offset they want next. So nobody waits for a slower neighbour, and no record is passed over in either direction.
 *
 * The tail itself is the only member of a group of its own, and goes by no committed offset: it commits none, and where the client does, because an offset was out of range, it says itself where
 * it goes on after the next join. The brokers forget the group when its process is gone.
 */
export class Tail {
  readonly #tools: TailTools;
  readonly #groupId: string;
  readonly #closing = new AbortController();
  readonly #followers = new Set<Follower>();
  readonly #rings = new Map<number, Ring>();
  /** The partitions of the tail's own group, all of the topic; empty while it is not in it. */
  #assigned: ReadonlySet<number> = new Set();
  #reader: OwnGroup | undefined;
  #adjusting = false;
  #changed = false;
  #handing = false;
  #emptying: NodeJS.Timeout | undefined;

  constructor(tools: TailTools, groupId: string) {
    this.#tools = tools;
    this.#groupId = groupId;
  }

  join(groupId: string, sink: Sink): SharingGroup {
    const places = new Map<number, Place>();
    const group = this.#tools.join(groupId, {
      assigned: (partitions) => {
        places.clear();
        for (const partition of partitions)
          places.set(partition, { next: undefined, following: false, paused: false });
        sink.assigned(partitions);
        this.#adjust();
      },
      records: (partition, entries, first, next) => {
        const place = places.get(partition);
        // It was asked for before the tail took over.
        if (place === undefined || place.following) return;
        place.next = next;
        sink.records(partition, entries, first, next);
        this.#follow(follower, partition);
      },
    });
    const follower: Follower = { places, sink, group };
    this.#followers.add(follower);
    return {
      pause: (partition) => {
        const place = places.get(partition);
        if (place === undefined) return;
        place.paused = true;
        if (!place.following) group.pause(partition);
      },
      resume: (partition) => {
        const place = places.get(partition);
        if (place === undefined) return;
        place.paused = false;
        if (place.following) this.#handOver();
        else group.resume(partition);
      },
      startsAt: (partition, offset) => {
        const place = places.get(partition);
        if (place === undefined || place.next !== undefined) return;
        place.next = offset;
        this.#follow(follower, partition);
      },
      commit: (offsets) => group.commit(offsets),
      leave: async () => {
        this.#followers.delete(follower);
        places.clear();
        this.#adjust();
        await group.leave();
      },
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#emptying);
    await this.#reader?.leave();
  }

  #follow(follower: Follower, partition: number): void {
    const place = follower.places.get(partition);
    const ring = this.#rings.get(partition);
    if (place?.next === undefined || place.following || ring === undefined) return;
    if (!covers(ring, place.next)) return;
    place.following = true;
    follower.group.pause(partition);
    this.#handOver();
  }

  /** Its own group fetches again, from the record it wants next. */
  #fallBack({ group }: Follower, partition: number, place: Place): void {
    place.following = false;
    group.seek(partition, place.next!);
    if (!place.paused) group.resume(partition);
  }

  /** Once all partitions of a fetch are here, so that a reader finds them together and makes one batch of them. */
  #handOver(): void {
    if (this.#handing) return;
    this.#handing = true;
    setImmediate(() => {
      this.#handing = false;
      this.#handAll();
    });
  }

  /** What is dropped next has then been given to everyone who has room. */
  #handAll(): void {
    for (const follower of this.#followers)
      for (const [partition, place] of follower.places)
        if (place.following && !place.paused) this.#hand(follower, partition, place);
  }

  #hand(follower: Follower, partition: number, place: Place): void {
    const ring = this.#rings.get(partition)!;
    const first = place.next!;
    if (first >= ring.end) return;
    if (first < ring.start) {
      this.#fallBack(follower, partition, place);
      return;
    }
    place.next = ring.end;
    follower.sink.records(partition, from(ring, first), first, ring.end);
  }

  #drop(partition: number): void {
    this.#rings.delete(partition);
    this.#reader?.pause(partition);
    for (const follower of this.#followers) {
      const place = follower.places.get(partition);
      if (place?.following === true) this.#fallBack(follower, partition, place);
    }
  }

  #wanted(partition: number): boolean {
    let sharing = 0;
    for (const { places } of this.#followers) if (places.has(partition)) sharing++;
    return sharing >= fewestSharing;
  }

  /** Opens what is read by several and closes what no longer is. */
  #adjust(): void {
    for (const partition of this.#rings.keys()) if (!this.#wanted(partition)) this.#drop(partition);
    this.#changed = true;
    if (!this.#adjusting) void this.#keepOpen();
  }

  async #keepOpen(): Promise<void> {
    this.#adjusting = true;
    while (this.#changed && !this.#closing.signal.aborted) {
      this.#changed = false;
      if (await this.#open()) continue;
      // A new partition that the tail's group does not know of yet, or brokers that are away.
      await pause(retryMs, this.#closing.signal);
      this.#changed = true;
    }
    this.#adjusting = false;
  }

  /** Whether all is open that can be. */
  async #open(): Promise<boolean> {
    const held = new Set([...this.#followers].flatMap(({ places }) => [...places.keys()]));
    const wanted = [...held].filter((each) => this.#wanted(each) && !this.#rings.has(each));
    if (wanted.length === 0) return true;
    this.#reader ??= this.#tools.join(this.#groupId, {
      assigned: (partitions) => this.#joined(partitions),
      records: (partition, entries, first, next) => this.#records(partition, entries, first, next),
    });
    const assigned = this.#assigned;
    if (assigned.size === 0) return true;
    const ends = await this.#tools.ends().catch(() => undefined);
    for (const { partition, high } of ends ?? [])
      if (assigned === this.#assigned && assigned.has(partition) && wanted.includes(partition))
        this.#begin(partition, BigInt(high));
    return wanted.every((each) => this.#rings.has(each) || !this.#wanted(each));
  }

  #begin(partition: number, at: bigint): void {
    if (!this.#wanted(partition)) return;
    this.#rings.set(partition, newRing(at));
    this.#emptying ??= setInterval(() => this.#emptyQuiet(), quietMs).unref();
    this.#reader!.seek(partition, at);
    this.#reader!.resume(partition);
    for (const follower of this.#followers) this.#follow(follower, partition);
  }

  /** After a join the tail goes on exactly where it was; when it has left, everybody fetches alone until it is back. */
  #joined(partitions: ReadonlySet<number>): void {
    this.#assigned = partitions;
    for (const partition of this.#rings.keys())
      if (!partitions.has(partition)) this.#drop(partition);
    for (const partition of partitions) {
      const ring = this.#rings.get(partition);
      if (ring === undefined) this.#reader?.pause(partition);
      else this.#reader?.seek(partition, ring.end);
    }
    this.#adjust();
  }

  #records(...[partition, entries, first, next]: Parameters<Sink["records"]>): void {
    const ring = this.#rings.get(partition);
    if (ring === undefined) return;
    // Behind where it was: the topic was made anew. What is ahead of it was truncated, which the chain of the records shows.
    if (first < ring.end) {
      this.#drop(partition);
      this.#adjust();
      return;
    }
    append(ring, entries, next);
    for (const follower of this.#followers) this.#follow(follower, partition);
    if (this.#isOver()) {
      this.#handAll();
      while (this.#isOver()) this.#forget();
    }
    this.#handOver();
  }

  #isOver(): boolean {
    let count = 0;
    let bytes = 0;
    for (const ring of this.#rings.values()) {
      count += ring.entries.length;
      bytes += ring.bytes;
    }
    return count > mostKept || bytes > mostBytes;
  }

  /** Drops the older half of the partition that has most; whoever had no room for it fetches it again. */
  #forget(): void {
    let largest: Ring | undefined;
    for (const ring of this.#rings.values())
      if (largest === undefined || ring.bytes > largest.bytes) largest = ring;
    halve(largest!);
  }

  #emptyQuiet(): void {
    this.#handAll();
    for (const ring of this.#rings.values()) {
      if (ring.quiet) empty(ring);
      ring.quiet = true;
    }
  }
}
