import { install, type Clock } from "@sinonjs/fake-timers";
import { deterministicId, type EventData, streamOf, uuid5 } from "@heliograph/contracts";
import { receiptsReactor } from "@heliograph/delivery";
import type { GatewayConfig } from "@heliograph/gateways";
import type { Reactor } from "@heliograph/runtime";
import { walletLedger } from "@heliograph/wallet";
import { failure, requestOf } from "../../services/delivery/test/facts.ts";
import { Sim } from "../../services/dispatch/test/sim.ts";
import { Kept, Owner } from "./owner.ts";

export const partner = deterministicId("ptn", "one");
const costs = ["0.012", "0.5", "3"] as const;
/** What has to pass before a checkpoint that waits for company is written. */
const LINGER_MS = 3_000;

/** A reactor, what is kept of it, its owner, and those who were owners before and may not know that they are none any more. */
type Service = {
  readonly reactor: Reactor;
  readonly kept: Kept;
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
  readonly ids: string[] = [];
  readonly topUps: string[] = [];
  #receipts = 0;

  private constructor(seed: number, gateways: readonly Partial<GatewayConfig>[]) {
    this.sim = new Sim(seed, gateways);
    const toFake = [
      ...(["setTimeout", "clearTimeout", "setInterval", "clearInterval"] as const),
      ...(["Date", "performance"] as const),
    ];
    this.#clock = install({ now: this.sim.now, toFake });
  }
  static async open(
    seed: number,
    gateways: readonly Partial<GatewayConfig>[],
    moves: boolean,
  ): Promise<Platform> {
    const platform = new Platform(seed, gateways);
    platform.sim.clocksMove = moves;
    for (const reactor of [walletLedger, receiptsReactor]) {
      const kept = new Kept();
      const owner = await Owner.start(reactor, kept, platform.sim.log, platform.sim);
      platform.#services.push({ reactor, kept, owner, others: [] });
    }
    await platform.sim.start("dies");
    return platform;
  }
  close(): void {
    for (const { owner, others } of this.#services)
      for (const each of [owner, ...others]) each.die();
    this.#clock.uninstall();
  }

  async #append(stream: string, type: string, id: string, data: object): Promise<void> {
    const [outcome] = await this.sim.log.append([
      { stream, expected: "any", events: [{ id, type, data, metadata: { partner } }] },
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
    const request = requestOf(id, {
      ...(sim.draw() < 0.3 && this.#further()),
      channel: "sms",
      to: `+1555000000${index % 3}`,
      created_at: iso(sim.now),
      expires_at: iso(sim.now + (sim.draw() < 0.2 ? 4_000 : 4 * 3_600_000)),
      priority: index % 4,
      cost: sim.oneOf(costs),
      ...(sim.draw() < 0.25 && { send_at: iso(sim.now + 2_000) }),
    });
    await this.#append(
      streamOf("message", id),
      "MessageRequested",
      uuid5(id, "MessageRequested"),
      request,
    );
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

  /** The owner of some reactor dies, or is replaced and does not know it. */
  async replaceOwner(): Promise<void> {
    const service = this.sim.oneOf(this.#services);
    if (this.sim.draw() < 0.6) service.owner.die();
    else service.others.push(service.owner);
    await this.#restart(service);
  }
  async #restart(service: Service): Promise<void> {
    const { log } = this.sim;
    service.owner = await Owner.start(service.reactor, service.kept, log, this.sim);
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
        const does = all || this.sim.draw() < 0.5;
        if (does && (await owner.advance())) some = true;
        else if (await owner.feed(all)) some = true;
      }
    }
    await this.settle();
    return some;
  }
  /** What follows at once from what happened does so, and timers see the time. */
  async settle(): Promise<void> {
    const behind = this.sim.now - this.#clock.now;
    if (behind > 0) this.#clock.tick(behind);
    await new Promise(setImmediate);
  }

  /** Everything goes on until nothing is left to be done. */
  async rest(): Promise<void> {
    const { sim } = this;
    sim.wild = false;
    for (let lingered = 0, count = 0; lingered < 3; count++) {
      if (count > 1_000) throw new Error("it does not come to rest");
      await sim.rest();
      let some = false;
      while (await this.step(true)) some = true;
      if (some) lingered = 0;
      else {
        sim.now += LINGER_MS;
        await this.settle();
        lingered++;
      }
    }
  }
  get positions(): readonly bigint[] {
    return this.#services.map(({ kept }) => kept.position);
  }
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
