import { createHmac } from "node:crypto";
import { deterministicId, webhookDelaysMs } from "@heliograph/contracts";
import { lifecycleSubject, toLifecycle, typesNamed } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import type { CourierOptions } from "../../services/webhooks/src/courier.ts";
import { publicEvent } from "../../services/webhooks/src/job.ts";
import type { Tables } from "../../services/webhooks/test/sim-tables.ts";
import { endpointAfter, isOpen, plainOf, type EndpointState } from "./endpoints.ts";
import type { Chance, Ways } from "./chance.ts";

type Carrier = ReturnType<NonNullable<CourierOptions["connect"]>>;
type Exchange = Parameters<Carrier["send"]>[0];

/** How a receiver answers. `silent`: it takes what comes and says nothing. `never`: it fails for good. */
const moods = ["good", "good", "good", "down", "busy", "silent", "moved", "gone", "never"] as const;
type Mood = (typeof moods)[number];

/** A request on its way there, or back. */
type Request = {
  readonly exchange: Exchange;
  readonly from: Ways;
  readonly endpoint: string;
  /** `webhook-id`: of an event or of a batch. */
  readonly id: string;
  readonly events: readonly string[];
  isOver: boolean;
};
/** What was told: where in the log it stands, what it is about, and of what type it is. */
export type Told = {
  readonly position: bigint;
  readonly subject: string;
  readonly type: string;
  readonly sequence: number;
  readonly event: RecordedEvent;
};
/** A failure that an owner has heard of, of a delivery that it has sent so often. */
type Heard = { readonly by: Ways; readonly at: number; readonly count: number };

const mostAttempts = webhookDelaysMs.length;
/** Waits are this much shorter than the schedule at most. */
const shortest = 0.8;
const answer = (status: number, retryAfter?: string) => ({
  status,
  excerpt: "",
  retryAfter,
  keepAliveMs: undefined,
});
export const deliveryOf = (event: string, endpoint: string): string =>
  deterministicId("whd", event, endpoint);

/** The receivers of webhooks, and the way to them. They know what may not come, and keep what did. */
export class Receivers {
  readonly faults: string[] = [];
  readonly #chance: Chance;
  readonly #tables: Tables;
  readonly #now: () => number;
  /** On the way there, and back. */
  #coming: Request[] = [];
  #going: { readonly request: Request; readonly tell: () => void }[] = [];
  readonly #moods = new Map<string, Mood>();
  /** Events by id as they were told, and what each endpoint was at which position. */
  readonly told = new Map<string, Told>();
  readonly endpoints = new Map<string, EndpointState[]>();
  #noted = 0n;
  #count = 0;
  /** Deliveries of events that tests sent; all others have an id that follows from event and endpoint. */
  readonly #tests = new Map<string, string>();
  /** Deliveries that a receiver has taken. */
  readonly taken = new Set<string>();
  /** Deliveries that somebody asked for again: they may be sent whatever became of them. */
  readonly asked = new Set<string>();
  readonly #sends = new Map<string, number>();
  readonly #heard = new Map<string, Heard>();
  readonly #bodies = new Map<string, string>();
  readonly #active = new Map<Ways, Map<string, number>>();
  requests = 0;

  constructor(chance: Chance, tables: Tables, now: () => number) {
    this.#chance = chance;
    this.#tables = tables;
    this.#now = now;
  }

  /** Takes in what the feed is about to bring. */
  note(events: readonly RecordedEvent[]): void {
    for (const event of events) {
      if (event.position <= this.#noted) continue;
      this.#noted = event.position;
      const { type, data } = event as { type: string; data: { readonly delivery_id: string } };
      if (type === "WebhookRetryRequested") this.asked.add(data.delivery_id);
      if (type === "WebhookTestRequested")
        this.#tests.set(publicEvent(event, "live")!.id, data.delivery_id);
      const after = endpointAfter(this.endpoints, event);
      if (after !== undefined) {
        const states = this.endpoints.get(after.id) ?? [];
        this.endpoints.set(after.id, [...states, after]);
      }
      const lifecycle = toLifecycle(event, "live");
      if (lifecycle === undefined) continue;
      const subject = lifecycleSubject(lifecycle);
      const [position, sequence] = [event.position, ++this.#count];
      this.told.set(lifecycle.id, { position, subject, type: lifecycle.type, sequence, event });
    }
  }

  #deliveryOf(event: string, endpoint: string): string {
    return this.#tests.get(event) ?? deliveryOf(event, endpoint);
  }
  /** What an endpoint was after a position; undefined before there was one. */
  at(endpoint: string, position: bigint): EndpointState | undefined {
    return this.endpoints.get(endpoint)?.findLast((state) => state.position <= position);
  }
  /** Whether an endpoint wanted an event when it came by. */
  wants(state: EndpointState | undefined, { type }: Pick<Told, "type">): boolean {
    if (state === undefined || state.status === "deleted") return false;
    return state.types.length === 0 || typesNamed(state.types).has(type as never);
  }

  /** The way to the receivers for one owner. */
  connect(from: Ways): Carrier {
    return {
      send: (exchange) => {
        if (!from.isDead()) this.#send(exchange, from);
      },
      close: () => undefined,
      sweep: () => undefined,
    };
  }

  #send(exchange: Exchange, from: Ways): void {
    this.requests++;
    const [head, body] = exchange.text.split("\r\n\r\n") as [string, string];
    const headers = new Map(head.split("\r\n").map((line) => line.split(": ") as [string, string]));
    const endpoint = head.slice("POST /".length, head.indexOf(" ", "POST /".length)).split("/")[0]!;
    const id = headers.get("webhook-id")!;
    const parsed = JSON.parse(body) as { readonly id?: string; readonly events?: { id: string }[] };
    const events = parsed.events?.map((event) => event.id) ?? [parsed.id!];
    const request: Request = { exchange, from, endpoint, id, events, isOver: false };
    this.#looksAt(request, headers, body);
    this.#coming.push(request);
  }

  #fault(request: Request, what: string): void {
    this.faults.push(`${request.id} to ${request.endpoint} ${what}`);
  }
  #looksAt(request: Request, headers: ReadonlyMap<string, string>, body: string): void {
    const { from, endpoint, events, id } = request;
    // What its sender may know: what it has dealt with, and all that it was given.
    const known = this.endpoints.get(endpoint) ?? [];
    const dealt = known.findLastIndex(({ position }) => position <= from.handled());
    const states = known.slice(Math.max(0, dealt)).filter(({ position }) => position <= from.fed());
    if (!states.some(isOpen)) this.#fault(request, "is sent though it is closed");
    const seconds = Number(headers.get("webhook-timestamp"));
    const signed = `${id}.${seconds}.${body}`;
    const given = headers.get("webhook-signature");
    if (!states.some((state) => signaturesOf(state, signed, seconds) === given))
      this.#fault(request, `is signed ${given}`);
    this.#looksAtBody(request, body);
    this.#looksAtRoom(request, states);
    for (const event of events) this.#looksAtDelivery(request, event);
  }
  #looksAtBody(request: Request, body: string): void {
    const { id, events } = request;
    const before = this.#bodies.get(id);
    if (events.length === 1 && events[0] === id) {
      // Where several may come together, one alone looks like that too.
      const own = /^\{"events":\[(?<event>.*)\]\}$/su.exec(body)?.groups?.["event"] ?? body;
      if (before !== undefined && before !== own) this.#fault(request, "has another body");
      this.#bodies.set(id, own);
      const told = this.told.get(id);
      const isTest = body.includes('"sequence":0,');
      if (told !== undefined && !isTest && !body.includes(`"sequence":${told.sequence},`))
        this.#fault(request, `has not the sequence ${told.sequence}`);
    } else {
      // It loses what was asked for alone and what was sent alone while batches were switched off, and gets nothing new.
      const sealed = this.#tables.sealed.get(id) ?? new Set();
      const given = new Set(events.map((event) => this.#deliveryOf(event, request.endpoint)));
      if (!given.isSubsetOf(sealed)) this.#fault(request, "is another batch");
      const states = this.endpoints.get(request.endpoint) ?? [];
      const isWhole = states.every((state) => isOpen(state) && state.takesBatches);
      for (const lost of isWhole ? sealed.difference(given) : [])
        if (!this.asked.has(lost)) this.#fault(request, `is without ${lost}`);
    }
  }
  #looksAtRoom(request: Request, states: readonly EndpointState[]): void {
    const { from, endpoint } = request;
    const active = this.#active.get(from) ?? new Map<string, number>();
    this.#active.set(from, active);
    const before = this.#coming.filter((each) => isUnderWay(each, from, endpoint)).length;
    const back = this.#going.filter((each) => isUnderWay(each.request, from, endpoint)).length;
    const most = Math.max(...states.map(({ concurrency }) => concurrency ?? 32));
    if (before + back + 1 > most) this.#fault(request, "is one request too many");
  }
  #looksAtDelivery(request: Request, event: string): void {
    const { from, endpoint } = request;
    const id = this.#deliveryOf(event, endpoint);
    const sends = (this.#sends.get(id) ?? 0) + 1;
    this.#sends.set(id, sends);
    if (this.asked.has(id)) return;
    const row = this.#tables.rows.get(id);
    // An endpoint that is closed and opened again in one go may still be sent what waited in memory.
    const wasClosed = this.endpoints.get(endpoint)?.some((state) => !isOpen(state)) === true;
    const isLeft = row?.status === "discarded" && wasClosed;
    if (from.isPresent() && row !== undefined && row.status !== "pending" && !isLeft)
      this.#fault(request, `of ${event} is sent though it is ${row.status}`);
    const heard = this.#heard.get(id);
    const hasMoved = new Set(this.endpoints.get(endpoint)?.map(({ url }) => url)).size > 1;
    if (heard?.by === from && !hasMoved) {
      const wait = webhookDelaysMs[heard.count] ?? Number.POSITIVE_INFINITY;
      if (this.#now() < heard.at + wait * shortest)
        this.#fault(request, `of ${event} is sent again early, ${heard.count} times before`);
    }
    this.#looksAtOrder(request, event);
  }
  /** What came before of the same subject is over, where its order is kept. */
  #looksAtOrder(request: Request, event: string): void {
    const { from, endpoint } = request;
    const states = this.endpoints.get(endpoint) ?? [];
    const own = this.told.get(event);
    if (own === undefined || !from.isPresent() || !states.every((state) => state.isOrdered)) return;
    for (const [id, other] of this.told) {
      if (other.position >= own.position || other.subject !== own.subject) continue;
      if (!this.wants(this.at(endpoint, other.position), other)) continue;
      // What waited is over, and nobody is told of it again.
      const closed = states.some((state) => !isOpen(state) && state.position >= other.position);
      if (closed || !isOpen(this.at(endpoint, other.position)!)) continue;
      const delivery = deliveryOf(id, endpoint);
      const row = this.#tables.rows.get(delivery);
      const isOver =
        this.taken.has(delivery) ||
        this.asked.has(delivery) ||
        (row !== undefined && row.status !== "pending") ||
        (this.#sends.get(delivery) ?? 0) >= mostAttempts;
      if (!isOver) this.#fault(request, `of ${event} is sent before ${id}`);
    }
  }

  /** A receiver may take another mood. */
  change(endpoint: string): void {
    this.#moods.set(endpoint, this.#chance.oneOf(moods));
  }
  /** All that are not gone for good answer. */
  heal(): void {
    for (const [endpoint, mood] of this.#moods)
      if (mood !== "never" && mood !== "gone") this.#moods.set(endpoint, "good");
  }

  get areBusy(): boolean {
    return this.#coming.length + this.#going.length > 0;
  }
  /** One request arrives, or its answer does; false when none is under way. */
  advance(): boolean {
    this.#coming = this.#coming.filter((request) => !this.#isLost(request));
    this.#going = this.#going.filter(({ request }) => !this.#isLost(request));
    const count = this.#coming.length + this.#going.length;
    if (count === 0) return false;
    const index = Math.floor(this.#chance.draw() * count);
    const request = this.#coming[index];
    if (request !== undefined) {
      this.#coming.splice(index, 1);
      this.#arrives(request);
    } else this.#going.splice(index - this.#coming.length, 1)[0]!.tell();
    return true;
  }
  /** Nobody waits for it any more. It may have arrived nevertheless. */
  #isLost(request: Request): boolean {
    const { exchange, from } = request;
    if (!exchange.canceled && !from.isDead()) return false;
    if (!request.isOver && this.#chance.goesWrong(0.3)) this.#takes(request);
    request.isOver = true;
    return true;
  }
  #takes({ endpoint, events }: Request): void {
    for (const event of events) this.taken.add(this.#deliveryOf(event, endpoint));
  }
  #arrives(request: Request): void {
    request.isOver = true;
    if (this.#chance.goesWrong(0.05)) return this.#answers(request, undefined);
    const mood = this.#moods.get(request.endpoint) ?? "good";
    switch (mood) {
      case "good":
        this.#takes(request);
        return this.#answers(request, answer(200));
      case "busy":
        return this.#answers(request, answer(503, this.#chance.oneOf(["1", "30", "7200"])));
      case "silent":
        this.#takes(request);
        return void this.#going.push({ request, tell: () => this.#goesOn(request) });
      case "gone":
        return this.#answers(request, answer(410));
      default:
        return this.#answers(request, answer(mood === "moved" ? 302 : 500));
    }
  }
  /** Its answer comes when its receiver finds its voice again, if anybody waits for it then. */
  #goesOn(request: Request): void {
    if (this.#moods.get(request.endpoint) === "silent")
      this.#going.push({ request, tell: () => this.#goesOn(request) });
    else this.#answers(request, answer(200));
  }
  #answers(request: Request, given: ReturnType<typeof answer> | undefined): void {
    const { exchange, from, endpoint, events } = request;
    const isHeard = given !== undefined && !this.#chance.goesWrong(0.03);
    this.#going.push({
      request,
      tell: () => {
        if (exchange.canceled || from.isDead()) return;
        if (!isHeard || given.status >= 300)
          for (const event of events) this.#failed(this.#deliveryOf(event, endpoint), from);
        if (isHeard) exchange.answered(given);
        else exchange.failed(Object.assign(new Error("cut off"), { code: "ECONNRESET" }));
      },
    });
  }
  #failed(delivery: string, by: Ways): void {
    const before = this.#heard.get(delivery);
    const count = before?.by === by ? before.count + 1 : 1;
    this.#heard.set(delivery, { by, at: this.#now(), count });
  }
}

const isUnderWay = ({ exchange, from, endpoint }: Request, by: Ways, to: string): boolean =>
  from === by && endpoint === to && !exchange.canceled;

/** One for each secret that signs at that time, the newest first. */
function signaturesOf({ secrets }: EndpointState, signed: string, seconds: number): string {
  return secrets
    .filter(({ until }) => until > seconds * 1_000)
    .map(({ sealed }) => {
      const key = Buffer.from(plainOf(sealed).slice("whsec_".length), "base64");
      return `v1,${createHmac("sha256", key).update(signed).digest("base64")}`;
    })
    .join(" ");
}
