import { syncBuiltinESMExports } from "node:module";
import { install, type Clock } from "@sinonjs/fake-timers";
import { deterministicId, type EventData, streamOf, uuid5 } from "@heliograph/contracts";
import { receiptsReactor } from "@heliograph/delivery";
import type { GatewayConfig } from "@heliograph/gateways";
import { walletLedger } from "@heliograph/wallet";
import { failure, requestOf } from "../../services/delivery/test/facts.ts";
import { Sim } from "../../services/dispatch/test/sim.ts";
import { webhooksReactor } from "../../services/webhooks/src/index.ts";
import { usageProjector } from "../../services/usage/src/projector.ts";
import { Broadcasts } from "./broadcasts.ts";
import { Owners, type Edit } from "./endpoints.ts";
import { Receivers } from "./hooks.ts";
import { type UsageKept, usageKept } from "./kept-models.ts";
import { LedgerKept, ReceiptsKept, WebhooksKept } from "./kept.ts";
import type { Ways } from "./chance.ts";
import { Owner, type Player } from "./owner.ts";
import { People } from "./people.ts";
import { asReactor } from "./projecting.ts";

export const partner = deterministicId("ptn", "one");
const costs = ["0.012", "0.5", "3"] as const;
/** What has to pass before a checkpoint that waits for company is written. */
const MINUTE_MS = 60_000;
const LINGER_MS = 3_000;
const MOST_ENDPOINTS = 3;

/** What passes at once is slept through but for this: timers that look at the clock do so once a minute at least. */
const AWAKE_MS = 61_000;

/** How many there are of those that not all plays have. */
type Counts = {
  readonly hooks: number;
  readonly people: number;
  readonly usage: boolean;
  readonly broadcasts: number;
};

/** A reactor, its owner, and those who were owners before and may not know that they are none any more. */
type Service = {
  readonly player: Player;
  owner: Owner;
  readonly others: Owner[];
};

const triggers = [["failed"], ["no_receipt"], ["failed", "expired", "no_receipt"]] as const;
const iso = (ms: number): string => new Date(ms).toISOString();

/** Dispatch, the wallet and delivery on one log in memory, with their providers, in a time of its own; everything happens when, and in the order in which, chance lets it. */
export class Platform {
  readonly sim: Sim;
  readonly #clock: Clock;
  readonly #services: Service[] = [];
  readonly ledger: LedgerKept;
  readonly hooks = new WebhooksKept();
  readonly receivers: Receivers;
  readonly owners: Owners;
  readonly ids: string[] = [];
  readonly topUps: string[] = [];
  hasQuietHours = false;
  /** Undefined where nobody writes. */
  people: People | undefined;
  /** Undefined where nothing is counted. */
  usage: UsageKept | undefined;
  /** Undefined where none is sent. */
  broadcasts: Broadcasts | undefined;
  #receipts = 0;
  #edits = 0;
  #replays: Edit[] = [];

  private constructor(seed: number, gateways: readonly Partial<GatewayConfig>[]) {
    this.sim = new Sim(seed, gateways);
    const toFake = [
      ...(["setTimeout", "clearTimeout", "setInterval", "clearInterval"] as const),
      ...(["Date", "performance"] as const),
    ];
    this.#clock = install({ now: this.sim.now, toFake });
    const { sim, hooks } = this;
    // As those see it that run: who looks after their clock does, sees it moved already.
    const now = (): number => Date.now();
    this.ledger = new LedgerKept(sim.log, sim, partner);
    this.receivers = new Receivers(sim, hooks.tables, now);
    this.owners = new Owners(sim, now);
  }
  static async open(
    seed: number,
    gateways: readonly Partial<GatewayConfig>[],
    moves: boolean,
    { hooks = 0, people = 0, usage = false, broadcasts = 0 }: Partial<Counts> = {},
  ): Promise<Platform> {
    const platform = new Platform(seed, gateways);
    const { sim } = platform;
    sim.clocksMove = moves;
    const players: Player[] = [
      { kept: platform.ledger, reactor: () => walletLedger },
      { kept: new ReceiptsKept(), reactor: () => receiptsReactor },
    ];
    if (hooks > 0) players.push(platform.#webhooks());
    if (people > 0) {
      platform.people = await People.open(sim, partner, people);
      players.push(...platform.people.players());
      if (broadcasts > 0) players.push(...platform.#sends(platform.people));
    }
    if (usage) {
      platform.usage = usageKept();
      players.push({
        kept: platform.usage,
        reactor: () => asReactor(usageProjector),
        passesOver: true,
      });
    }
    for (const player of players) {
      const owner = await Owner.start(player, sim.log, sim);
      platform.#services.push({ player, owner, others: [] });
    }
    await platform.sim.start("dies");
    return platform;
  }
  /** Webhooks with all that it does but for tables and connections. */
  #webhooks(): Player {
    const { sim, hooks, receivers } = this;
    return {
      kept: hooks,
      note: (events) => receivers.note(events),
      reactor: (ways) =>
        webhooksReactor({
          store: slowly(hooks.tables.store, ways),
          connect: () => receivers.connect(ways),
          random: () => sim.draw(),
        }),
    };
  }
  #sends(people: People): readonly Player[] {
    people.haveTags = true;
    this.broadcasts = new Broadcasts(this.sim, people, partner);
    return this.broadcasts.players();
  }
  /** Those that send broadcasts, or did and may not know that they do not any more. */
  get senders(): number {
    const own = this.#services.find(({ player }) => player.kept === this.broadcasts?.kept);
    if (own === undefined) return 0;
    return [own.owner, ...own.others].filter((owner) => !owner.isDead()).length;
  }
  close(): void {
    for (const { owner, others } of this.#services)
      for (const each of [owner, ...others]) each.die();
    this.sim.end();
    this.#clock.uninstall();
    syncBuiltinESMExports();
  }

  async #append(
    stream: string,
    type: string,
    id: string,
    data: object,
    more: object = {},
  ): Promise<void> {
    const [outcome] = await this.sim.log.append([
      { stream, expected: "any", events: [{ id, type, data, metadata: { partner, ...more } }] },
    ]);
    if (outcome!.kind === "invalid") throw new Error(outcome!.message);
  }
  async topUp(amount: string): Promise<void> {
    const id = deterministicId("wtx", `${this.topUps.length}`);
    this.topUps.push(amount);
    const data = { transaction_id: id, amount, currency: "USD" };
    await this.#append(streamOf("topup", id), "TopupRequested", uuid5(id, "TopupRequested"), data);
  }
  async accept(): Promise<void> {
    const { sim } = this;
    const index = this.ids.length;
    const id = deterministicId("msg", `${index}`);
    this.ids.push(id);
    const plain = requestOf(id, {
      ...(sim.draw() < 0.3 && this.#further()),
      channel: "sms",
      to: `+1555000000${index % 3}`,
      created_at: iso(sim.now),
      expires_at: iso(sim.now + (sim.draw() < 0.2 ? 4_000 : 4 * 3_600_000)),
      priority: index % 4,
      cost: sim.oneOf(costs),
      ...(sim.draw() < 0.25 && { send_at: iso(sim.now + 2_000) }),
      ...(this.hasQuietHours && sim.draw() < 0.4 && { quiet_hours: this.#quietHours() }),
      ...(this.people && { to: sim.oneOf(this.people.numbers) }),
    });
    await this.#request(plain);
  }
  /** That have begun, or begin soon. */
  #quietHours(): NonNullable<EventData<"MessageRequested">["quiet_hours"]> {
    const { sim } = this;
    const begins = sim.now + sim.oneOf([-20, -1, 0, 1]) * MINUTE_MS;
    const minuteOf = (ms: number): string =>
      iso(ms).slice("2026-01-01T".length, -":00.000Z".length);
    const to = minuteOf(begins + sim.oneOf([1, 2, 30]) * MINUTE_MS);
    const policy = sim.draw() < 0.7 ? "delay" : "reject";
    return { from: minuteOf(begins), to, policy, zones: ["UTC"], found: "request" };
  }
  async #request(plain: EventData<"MessageRequested">): Promise<void> {
    const { message_id: id } = plain;
    const request = (await this.people?.sealed(plain)) ?? plain;
    await this.#append(
      streamOf("message", id),
      "MessageRequested",
      uuid5(id, "MessageRequested"),
      request,
    );
  }
  /** One more to everybody, when all is known. */
  async acceptLast(): Promise<ReadonlyMap<string, string>> {
    const { sim } = this;
    const last = new Map<string, string>();
    for (const to of this.people?.numbers ?? []) {
      const id = deterministicId("msg", `last ${to}`);
      this.ids.push(id);
      last.set(id, to);
      const expires_at = iso(sim.now + 4 * 3_600_000);
      await this.#request(
        requestOf(id, { to, created_at: iso(sim.now), expires_at, cost: costs[0] }),
      );
    }
    return last;
  }
  /** One or two further steps; what is held is the dearest of all. */
  #further(): Partial<EventData<"MessageRequested">> {
    const { sim } = this;
    const { content, price, segments } = requestOf("");
    const failover = (["email", "whatsapp"] as const)
      .slice(sim.draw() < 0.5 ? 1 : 0)
      .map((channel) => ({
        channel,
        to: `${channel}@example.com`,
        content,
        price,
        segments,
        on: [...sim.oneOf(triggers)],
        after_seconds: 10,
        cost: sim.oneOf(costs),
      }));
    return { failover, hold: costs.at(-1)! };
  }
  /** A provider reports on something that it took: anything, as often and as late as it likes. */
  async report(): Promise<void> {
    const { sim } = this;
    if (sim.taken.size === 0) return;
    const [attemptId, { messageId, gateway }] = sim.oneOf([...sim.taken]);
    const [status, permanent, isBilled] = sim.oneOf(reports);
    const eventId = `${attemptId} ${sim.draw() < 0.2 ? "again" : this.#receipts++}`;
    const data = {
      message_id: messageId,
      gateway,
      provider_message_id: `p-${attemptId}`,
      provider_event_id: eventId,
      status,
      ...(permanent !== undefined && {
        permanent,
        error: { ...failure, permanent, ...(isBilled && { billable: true }) },
      }),
      occurred_at: iso(sim.now),
    };
    await this.#append(
      streamOf("receipts", messageId),
      "ReceiptReceived",
      uuid5(eventId, status),
      data,
    );
  }

  addEndpoint(): Promise<void> {
    return this.#appendEdits(this.owners.create());
  }
  /** An endpoint is made, changed or asked something of. */
  async edit(): Promise<void> {
    const { owners, sim } = this;
    const kind = sim.draw();
    if (owners.ids.length === 0 || (kind < 0.15 && owners.ids.length < MOST_ENDPOINTS))
      return this.addEndpoint();
    if (kind < 0.45) return this.receivers.change(sim.oneOf(owners.ids));
    if (kind < 0.6) return this.#replay();
    return this.#appendEdits(owners.edit());
  }
  async #appendEdits(edits: readonly Edit[], more: object = {}): Promise<void> {
    for (const { stream, type, data } of edits)
      await this.#append(stream, type, uuid5(`${this.#edits++}`, type), data, more);
  }
  /** Deliveries of an endpoint are asked for again: one by hand, or some by a replay, which may be canceled later. */
  async #replay(): Promise<void> {
    const { sim, hooks } = this;
    const open = this.#replays.shift();
    if (open !== undefined && sim.draw() < 0.5)
      return this.#appendEdits([{ ...open, type: "WebhookReplayCanceled" }]);
    const endpoint_id = sim.oneOf(this.owners.ids);
    const rows = [...hooks.tables.rows.values()].filter((row) => row.endpoint_id === endpoint_id);
    if (rows.length === 0) return;
    const retry = (row: { readonly id: string }, stream: string): Edit => ({
      stream,
      type: "WebhookRetryRequested",
      data: { endpoint_id, delivery_id: row.id },
    });
    if (sim.draw() < 0.5)
      return this.#appendEdits([retry(sim.oneOf(rows), streamOf("endpoint", endpoint_id))]);
    const replay_id = deterministicId("rpl", `${this.#edits}`);
    const stream = streamOf("endpoint", replay_id);
    const begun = { stream, type: "WebhookReplayRequested", data: { endpoint_id, replay_id } };
    this.#replays.push(begun);
    const wanted = rows.filter(() => sim.draw() < 0.5).map((row) => retry(row, stream));
    await this.#appendEdits([begun, ...wanted], { correlation: replay_id });
  }

  /** The owner of some reactor dies, or is replaced and does not know it. */
  async replaceOwner(): Promise<void> {
    const service = this.sim.oneOf(this.#services);
    const how = this.sim.draw();
    if (how < 0.2) return service.owner.stop();
    if (how < 0.6) service.owner.die();
    else service.others.push(service.owner);
    await this.#restart(service);
  }
  async #restart(service: Service): Promise<void> {
    service.owner = await Owner.start(service.player, this.sim.log, this.sim);
  }

  /** Lets something happen in one of the reactors; `all`: as long as anything does. False when nothing did. */
  async step(all = false): Promise<boolean> {
    let some = false;
    for (const service of all ? this.#services : [this.sim.oneOf(this.#services)]) {
      if (service.owner.isBroken) {
        service.owner.die();
        await this.#restart(service);
      }
      for (const owner of [service.owner, ...service.others]) {
        // Whoever hears that it is no owner any more ends, too.
        if (owner.isBroken) owner.die();
        const does = all || this.sim.draw() < 0.5;
        if (does && (await owner.advance())) some = true;
        else if (await owner.feed(all)) some = true;
      }
    }
    if ((all || this.sim.draw() < 0.5) && this.receivers.advance()) some = true;
    if (this.people && (all || this.sim.draw() < 0.5) && (await this.people.advance())) some = true;
    await this.settle();
    return some;
  }
  /** What follows at once from what happened does so, and timers see the time. */
  async settle(): Promise<void> {
    const behind = this.sim.now - this.#clock.now;
    if (behind > AWAKE_MS) this.#clock.setSystemTime(this.sim.now - AWAKE_MS);
    if (behind > 0) this.#clock.tick(Math.min(behind, AWAKE_MS));
    await new Promise(setImmediate);
  }
  /** Time passes. */
  async pass(ms: number): Promise<void> {
    this.sim.now += ms;
    await this.settle();
  }

  /** All sleep, and whoever dispatches is the last to wake. */
  async sleep(ms: number): Promise<void> {
    await this.pass(ms);
    for (let turns = Math.floor(this.sim.draw() * 60); turns > 0; turns--) {
      if (this.sim.draw() < 0.3) await this.pass(1_000);
      await this.step();
    }
  }

  /** Everything goes on until nothing is left to be done. */
  async rest(): Promise<void> {
    const { sim } = this;
    sim.wild = false;
    this.receivers.heal();
    let before = "";
    const { tables } = this.hooks;
    const waits = (): boolean => tables.pending.length > 0 || this.broadcasts?.areBusy === true;
    for (let lingered = 0, count = 0; lingered < (waits() ? 10 : 3); count++) {
      if (count > 50_000) throw new Error("it does not come to rest");
      await sim.rest();
      await this.settle();
      while (await this.step(true));
      const after = await this.#soFar();
      const isBusy =
        this.people?.areBusy === true ||
        this.receivers.areBusy ||
        this.#services.some(({ owner }) => owner.isStopping);
      const some = isBusy || after !== before;
      if (some) lingered = 0;
      else lingered++;
      before = after;
      await this.pass(this.#untilNext(some || !waits(), lingered));
    }
  }
  /** What has been done; that somebody looks for what is due is nothing. */
  async #soFar(): Promise<string> {
    const changes = this.#services.map(({ player }) => player.kept.changes);
    return [await this.sim.log.head(), this.receivers.requests, ...changes].join(" ");
  }
  /** What has to pass before anything is done that waits for its time. */
  #untilNext(some: boolean, lingered: number): number {
    const { pending } = this.hooks.tables;
    if (some) return LINGER_MS;
    // Those that are held have no time.
    const due = pending.flatMap((row) => row.next_attempt_at ?? []);
    const next = due.length > 0 ? Math.min(...due) - this.sim.now : 0;
    // What is due may wait for its endpoint, which has asked for as much as two hours.
    return Math.max(next, (AWAKE_MS / 2) * 2 ** lingered);
  }
  /** Requests that webhooks made, and deliveries that are over. */
  get delivered(): { readonly requests: number; readonly deliveries: number } {
    return { requests: this.receivers.requests, deliveries: this.hooks.tables.rows.size };
  }
}

/** Reads happen when chance lets them. */
function slowly<Store extends object>(store: Store, ways: Ways): Store {
  return new Proxy(store, {
    get(target, name) {
      const read = Reflect.get(target, name) as (...given: readonly unknown[]) => Promise<unknown>;
      return (...given: readonly unknown[]) => ways.inFlight(() => read(...given));
    },
  });
}

/** As a provider words them, those that come most often first; contradictions come by themselves. */
const reports: readonly (readonly [status: string, permanent?: boolean, isBilled?: boolean])[] = [
  ["delivered"],
  ["delivered"],
  ["sent"],
  ["read"],
  ["undelivered", true],
  ["undelivered", true, true],
  ["deferred", false],
  ["bounced", false],
  ["bounced", true],
  ["complained"],
];
