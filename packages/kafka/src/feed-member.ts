import { shardOf, type EventType, type Shard } from "@heliograph/contracts";
import type { Batch, RecordedEvent } from "@heliograph/log";
import { atMost, messageOf, pause, type FeedMember } from "@heliograph/runtime";
import {
  first,
  hasRoom,
  isFull,
  newLane,
  nextOf,
  nextOfShard,
  take,
  type Lane,
  type Step,
} from "./buffer.ts";
import type { FeedTools } from "./feed-tools.ts";
import { lineOf, takeStored } from "./losses.ts";
import { longestLeaveMs } from "./member.ts";
import { least, reach, type Left, type Reader } from "./reader.ts";
import type { Entry } from "./record.ts";
import type { SharingGroup } from "./tail.ts";
import { holeAfterMs, Watch, type Hole } from "./watch.ts";

type Subscription = Parameters<FeedMember["subscribe"]>[0];

/** The place of a reader of everything, beside those of shards. */
const wholePlace = -1;
/** A partition that has more to give is waited for no longer than this; then the log is read. */
const longestHoleMs = 10_000;
const commitEveryMs = 5_000;
const retryMs = 1_000;
const readAtOnce = 500;
/** Records passed over in one go, so that a reader who wants few types lets others have their turn. */
const scanAtOnce = 5_000;

/** A consumer's part in its group: buffers what comes, hands it to the readers in order, and reads from the log what does not come. */
export class Member implements FeedMember {
  readonly #tools: FeedTools;
  readonly #name: string;
  readonly #types: readonly EventType[];
  readonly #wanted: ReadonlySet<string> | undefined;
  readonly #leaving = new AbortController();
  readonly #listeners: (() => void)[] = [];
  readonly #readers = new Set<Reader>();
  /** Merged order reads these, one per partition; shards read those below. */
  readonly #lanes = new Map<number, Lane>();
  readonly #shardLanes = new Map<number, Lane>();
  /** Up to where everything was stored when a reader left; what it had in hand is fetched again by the next owner. */
  readonly #left = new Map<number, Left>();
  readonly #sharded: boolean;
  readonly #started: Promise<SharingGroup | undefined>;
  readonly #committing: NodeJS.Timeout;
  #group: SharingGroup | undefined;
  #mine: ReadonlySet<number> = new Set();
  /** Partitions of the topic; undefined while that is being asked after a change. */
  #partitions: number | undefined;
  #generation = 0;
  #head = 0n;

  constructor(
    tools: FeedTools,
    consumer: {
      readonly name: string;
      readonly types: readonly EventType[];
      readonly sharded?: boolean;
    },
  ) {
    this.#tools = tools;
    this.#name = consumer.name;
    this.#sharded = consumer.sharded === true;
    this.#types = consumer.types;
    this.#wanted = consumer.types.length === 0 ? undefined : new Set(consumer.types);
    this.#started = this.#start();
    this.#committing = setInterval(() => void this.#commit(), commitEveryMs);
    this.#committing.unref();
  }

  async #start(): Promise<SharingGroup | undefined> {
    let said = false;
    while (!this.#leaving.signal.aborted) {
      try {
        await this.#tools.ready();
        this.#group = this.#tools.join(this.#name, {
          assigned: (partitions) => void this.#assign(partitions),
          records: (partition, entries, _first, next) => this.#take(partition, entries, next),
        });
        return this.#group;
      } catch (error) {
        const line = { consumer: this.#name, error: messageOf(error) };
        if (said) this.#tools.logger.debug(line, "the brokers are away");
        else this.#tools.logger.warn(line, "the brokers are away; events wait in the log");
        said = true;
        await pause(retryMs, this.#leaving.signal);
      }
    }
    return undefined;
  }

  /** After a join everything is fetched again from the committed offsets: what was buffered is void, and readers skip what they have passed. */
  async #assign(partitions: ReadonlySet<number>): Promise<void> {
    const generation = ++this.#generation;
    this.#mine = partitions;
    this.#lanes.clear();
    this.#shardLanes.clear();
    this.#left.clear();
    for (const partition of partitions) this.#lanes.set(partition, newLane(partition));
    this.#changed();
    while (generation === this.#generation && !this.#leaving.signal.aborted) {
      try {
        const [ends, committed] = await Promise.all([
          this.#tools.ends(),
          this.#tools.committed(this.#name),
        ]);
        if (generation !== this.#generation) return;
        this.#partitions = ends.length;
        // Where a group goes on at the end of a partition nothing comes, and only this says that everything has come.
        const goesOn = new Map(committed.map(({ partition, offset }) => [partition, offset]));
        for (const { partition, low } of ends) {
          const lane = this.#lanes.get(partition);
          const offset = goesOn.get(partition) ?? -1n;
          if (lane === undefined) continue;
          if (lane.next < offset) lane.next = offset;
          this.#group?.startsAt(partition, offset < 0n ? BigInt(low) : offset);
        }
        for (const shard of this.#shardLanes.keys())
          if (!this.#holds(shard)) this.#shardLanes.delete(shard);
        this.#changed();
        return;
      } catch {
        await pause(retryMs, this.#leaving.signal);
      }
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
    this.#ring();
  }

  #ring(): void {
    for (const reader of this.#readers) reader.wake();
  }

  #holds(shard: number): boolean {
    return this.#partitions !== undefined && this.#mine.has(shard % this.#partitions);
  }

  assigned(shard: Shard): boolean {
    return this.#holds(shard.index);
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #take(partition: number, entries: readonly Entry[], next: bigint): void {
    const lane = this.#lanes.get(partition);
    if (lane === undefined) return;
    lane.next = next;
    const last = entries.at(-1);
    if (last !== undefined) {
      lane.marks.push({ position: last.position, offset: next });
      if (last.position > this.#head) this.#head = last.position;
    }
    if (this.#sharded) for (const entry of entries) this.#sort(entry, partition);
    else for (const entry of entries) push(lane, entry);
    if (!lane.paused && this.#lanesOf(partition).some(isFull)) {
      lane.paused = true;
      this.#group?.pause(partition);
    }
    this.#ring();
  }

  /** To the lane of its shard. A shard that is not ours has moved to another partition; its owner reads from the log what it left here. */
  #sort(entry: Entry, partition: number): void {
    if (this.#partitions !== undefined && !this.#holds(entry.shard)) return;
    let lane = this.#shardLanes.get(entry.shard);
    if (lane === undefined) this.#shardLanes.set(entry.shard, (lane = newLane(partition)));
    push(lane, entry);
  }

  #lanesOf(partition: number): Lane[] {
    if (!this.#sharded) return [this.#lanes.get(partition)!];
    return [...this.#shardLanes.values()].filter((lane) => lane.partition === partition);
  }

  #makeRoom(): void {
    for (const lane of this.#lanes.values())
      if (lane.paused && this.#lanesOf(lane.partition).every(hasRoom)) {
        lane.paused = false;
        this.#group?.resume(lane.partition);
      }
  }

  /** An offset may be committed when everything before it is stored; the next owner then finds no hole. */
  async #commit(): Promise<void> {
    const offsets = new Map<number, bigint>();
    if (this.#readers.size === 0 && this.#left.size === 0) return;
    for (const lane of this.#lanes.values()) {
      const readers = [...this.#readers];
      const waiting = this.#lanesOf(lane.partition).map((each) => first(each)?.position);
      while (lane.marks.length > 0) {
        const { position, offset } = lane.marks[0]!;
        const queued = waiting.some((each) => each !== undefined && each <= position);
        const stored = readers.every(
          (reader) => reader.durable() >= least(reach(reader), position),
        );
        const left = [...this.#left.values()].every(
          (gone) => gone.durable >= least(gone.position, position),
        );
        if (queued || !stored || !left) break;
        offsets.set(lane.partition, offset);
        lane.marks.shift();
      }
    }
    if (offsets.size > 0) await this.#group?.commit(offsets);
  }

  async *subscribe(request: Subscription): AsyncGenerator<Batch> {
    const { shard } = request;
    const place = shard?.index ?? wholePlace;
    const stop = AbortSignal.any([request.signal, this.#leaving.signal]);
    const left = this.#left.get(place);
    const watch = new Watch();
    const reader: Reader = {
      shard,
      position: request.after,
      given: left?.position ?? 0n,
      durable: request.durable ?? (() => reader.position),
      stop,
      wake: watch.wake,
      // What the reader before this one found and did not store, unless another owner has stored it.
      losses: (left?.losses ?? []).filter(({ until }) => until > request.after),
    };
    stop.addEventListener("abort", watch.wake, { once: true });
    this.#readers.add(reader);
    this.#left.delete(place);
    try {
      yield* this.#read(reader, watch, request.maxEvents ?? 500);
    } catch (error) {
      if (!stop.aborted) throw error;
    } finally {
      stop.removeEventListener("abort", watch.wake);
      this.#readers.delete(reader);
      this.#tell(reader);
      const { durable, losses } = reader;
      this.#left.set(place, { position: reach(reader), durable: durable(), losses });
    }
  }

  async *#read(reader: Reader, watch: Watch, max: number): AsyncGenerator<Batch> {
    let opened = false;
    while (!reader.stop.aborted) {
      // Before anything is looked at: what comes while a look waits for an answer rings this one.
      watch.begin();
      const { events, step, moved } = this.#collect(reader, max);
      this.#makeRoom();
      this.#tell(reader);
      if (moved || !opened) {
        opened = true;
        watch.moved();
        yield this.#batch(reader, events, step.kind === "empty");
        continue;
      }
      const before = reader.position;
      if (step.kind === "hole") {
        const hole = watch.holeSeen(this.#head);
        if (await this.#mayFill(reader, step.until, hole)) {
          const still = this.#next(reader);
          if (still.kind === "hole" && still.until === step.until)
            yield* this.#fill(reader, step.until);
          watch.holeClosed();
          continue;
        }
      } else if (watch.isDue()) {
        yield* this.#look(reader);
        watch.looked(reader.position > before);
        if (reader.position > before) continue;
      }
      await watch.wait(step.kind === "hole", reader.losses.length > 0);
    }
  }

  /** A shard's records come in order, so that a hole is one at once; in the total order of all partitions it may only be late. */
  async #mayFill(reader: Reader, until: bigint, hole: Hole): Promise<boolean> {
    if (reader.shard !== undefined) return true;
    return this.#isGone(until, performance.now() - hole.since, hole.head);
  }

  /** Takes what follows the reader's position, as far as it is here. */
  #collect(reader: Reader, max: number): { events: RecordedEvent[]; step: Step; moved: boolean } {
    const events: RecordedEvent[] = [];
    let moved = false;
    for (let scanned = 0; ; scanned++) {
      const step = this.#next(reader);
      if (step.kind !== "next" || events.length >= max || scanned >= scanAtOnce)
        return { events, step, moved };
      if (this.#wanted === undefined || this.#wanted.has(step.entry.type)) {
        try {
          events.push(step.entry.event());
        } catch {
          // A value that is no JSON counts as missing: the log has the event.
          return { events, step: { kind: "hole", until: step.entry.position }, moved };
        }
      }
      take(step.lane);
      reader.position = step.entry.position;
      moved = true;
    }
  }

  #next({ shard, position }: Reader): Step {
    if (shard === undefined) return nextOf(this.#lanes.values(), position);
    const lane = this.#shardLanes.get(shard.index);
    return lane === undefined ? { kind: "empty" } : nextOfShard(lane, position);
  }

  #batch(reader: Reader, events: RecordedEvent[], caughtUp: boolean): Batch {
    const { position } = reader;
    return { events, position, head: position > this.#head ? position : this.#head, caughtUp };
  }

  /**
   * Nothing waits: compares with what the relay has published. What was published and has not come although every partition is read to its end is missing;
   * a reader of whose events nothing is missing moves on to where the whole namespace is.
   */
  async *#look(reader: Reader): AsyncGenerator<Batch> {
    const { shard } = reader;
    const chain = await this.#tools.chain();
    if (chain.upTo > this.#head) this.#head = chain.upTo;
    const target = shard === undefined ? chain.last : (chain.shards.get(shard.index) ?? 0n);
    if (target <= reader.position) {
      if (chain.upTo <= reader.position) return;
      if (this.#next(reader).kind !== "empty") return;
      reader.position = chain.upTo;
      yield this.#batch(reader, [], true);
    } else if (await this.#atEnd(shard)) {
      if (this.#next(reader).kind === "empty") yield* this.#fill(reader, target);
    }
  }

  /**
   * Whether what is missing up to a position does not come any more: records of a partition come in order, so where one waits, it is a later one; where none does, the partition must have been
   * read to its end, a while after the later ones came (`head` is where those were then). What that showed holds for the holes that follow, which are many when one partition was truncated.
   */
  async #isGone(until: bigint, forMs: number, head: bigint): Promise<boolean> {
    const open = [...this.#lanes.values()].filter(
      (lane) => first(lane) === undefined && lane.passed < until,
    );
    if (open.length === 0) return true;
    if (forMs < holeAfterMs) return false;
    if (forMs < longestHoleMs) {
      const ends = await this.#tools.ends().catch(() => undefined);
      const highs = new Map(
        ends?.map(({ partition, high, low }) => [partition, high === low ? -1n : BigInt(high)]),
      );
      if (!open.every(({ partition, next }) => next >= (highs.get(partition) ?? next + 1n)))
        return false;
    }
    for (const lane of open) if (lane.passed < head) lane.passed = head;
    return true;
  }

  /** Whether everything that the partitions hold has come; false while that cannot be said. */
  async #atEnd(shard: Shard | undefined): Promise<boolean> {
    const ends = await this.#tools.ends().catch(() => undefined);
    if (ends === undefined || ends.length === 0) return false;
    return ends.every(({ partition, high, low }) => {
      if (shard !== undefined && shard.index % ends.length !== partition) return true;
      const lane = this.#lanes.get(partition);
      return lane !== undefined && (high === low || lane.next >= BigInt(high));
    });
  }

  /** Reads from the log what the topic does not have, up to a position, and says so once it is stored; what an earlier reader took from it is not missing. */
  async *#fill(reader: Reader, until: bigint): AsyncGenerator<Batch> {
    const { shard, stop } = reader;
    const { log, logger } = this.#tools;
    const from = reader.position;
    const types = this.#types.length === 0 ? {} : { types: this.#types };
    let count = 0;
    while (reader.position < until) {
      const page = await log.readAll({ after: reader.position, limit: readAtOnce, ...types });
      const events = page.events.filter(
        ({ position, metadata }) =>
          position <= until &&
          (shard === undefined || shardOf(metadata.partner, shard.count) === shard.index),
      );
      if (page.position <= reader.position) {
        // This copy of the log is not as far as the relay's was.
        await pause(retryMs, stop);
        if (stop.aborted) return;
        continue;
      }
      reader.position = page.position < until ? page.position : until;
      for (const { position } of events) if (position > reader.given) count++;
      yield this.#batch(reader, events, false);
    }
    if (until <= reader.given) return;
    const loss = { consumer: this.#name, shard: shard?.index, after: from, until, events: count };
    if (count > 0) reader.losses.push(loss);
    else logger.info(lineOf(loss), "records are missing from the log topic; none are wanted");
  }

  #tell(reader: Reader): void {
    const { environment, logger, missing } = this.#tools;
    for (const loss of takeStored(reader.losses, reader.durable())) {
      missing.inc({ environment, consumer: this.#name }, loss.events);
      const line = "events are missing from the log topic; they were read from the log";
      logger.error(lineOf(loss), line);
    }
  }

  async leave(): Promise<void> {
    clearInterval(this.#committing);
    await atMost(this.#commit(), longestLeaveMs);
    this.#leaving.abort();
    await atMost(
      this.#started.then((group) => group?.leave()),
      longestLeaveMs,
    );
  }
}

function push(lane: Lane, entry: Entry): void {
  lane.entries.push(entry);
  lane.bytes += entry.bytes;
}
