import { deterministicId, streamOf, uuid5, type PublicError } from "@heliograph/contracts";
import { change } from "@heliograph/log";
import { contactsProjector } from "../../services/contacts/src/projector.ts";
import type { Sim } from "../../services/dispatch/test/sim.ts";
import {
  decideCommand,
  evolveBroadcast,
  type Broadcast,
  type Command,
  type Created,
} from "../../services/ingress/src/broadcasts/decide.ts";
import { broadcastsReactor } from "../../services/ingress/src/broadcasts/reactor.ts";
import { BroadcastsKept, contactsKept } from "./kept-models.ts";
import type { Player } from "./owner.ts";
import type { People } from "./people.ts";
import { asReactor } from "./projecting.ts";

const commands: readonly Command[] = [
  { name: "start" },
  { name: "start" },
  { name: "start" },
  { name: "pause", code: "requested", reason: "Somebody asked for it." },
  { name: "resume" },
  { name: "resume" },
  { name: "cancel" },
];
const startsInMs = 2_000;
/** Slow ones have pages of one. */
export const slowPerSecond = 4;
const paces = [undefined, undefined, 1, slowPerSecond, 40] as const;
const iso = (ms: number): string => new Date(ms).toISOString();

/** That a broadcast was told to send no more: where in the log, and how many were there who may not have heard of it. */
export type Stop = { readonly id: string; readonly position: bigint; readonly owners: number };

/** Broadcasts to the contacts that there are, with their reactor and the lists of contacts that it reads. */
export class Broadcasts {
  readonly ids: string[] = [];
  readonly contacts = contactsKept();
  readonly kept = new BroadcastsKept(this.contacts);
  readonly stops: Stop[] = [];
  readonly #sim: Sim;
  readonly #people: People;
  readonly #partner: string;
  #commands = 0;

  constructor(sim: Sim, people: People, partner: string) {
    this.#sim = sim;
    this.#people = people;
    this.#partner = partner;
  }
  players(): readonly Player[] {
    const { tools } = this.#people;
    return [
      {
        ...tools,
        kept: this.contacts,
        reactor: () => asReactor(contactsProjector),
        passesOver: true,
      },
      { ...tools, kept: this.kept, reactor: () => broadcastsReactor(), keepsToItsOwn: true },
    ];
  }

  /** Somebody drafts one, or asks something of one that is there; `owners`: how many send now. */
  async ask(most: number, owners: number): Promise<void> {
    const { ids } = this;
    const sim = this.#sim;
    if (ids.length === 0 || (ids.length < most && sim.draw() < 0.3)) return this.#create();
    await this.#command(sim.oneOf(ids), sim.oneOf(commands), owners);
  }
  async #create(): Promise<void> {
    const sim = this.#sim;
    const broadcast_id = deterministicId("brc", `${this.ids.length}`);
    this.ids.push(broadcast_id);
    const known = await this.#people.contacts();
    const contact_ids = [...known.filter(() => sim.draw() < 0.5), deterministicId("cnt", "nobody")];
    const per_second = sim.oneOf(paces);
    const data: Created = {
      broadcast_id,
      audience: sim.oneOf([{}, {}, { tag: "a" }, { contact_ids }]),
      send: { channel: "sms", text: "Hello", category: sim.oneOf(["marketing", "transactional"]) },
      ...(sim.draw() < 0.2 && { send_at: iso(sim.now + startsInMs) }),
      ...(per_second !== undefined && { per_second }),
      created_at: iso(sim.now),
    };
    const stream = streamOf("broadcast", broadcast_id);
    const id = uuid5(broadcast_id, "create");
    const metadata = { partner: this.#partner, correlation: broadcast_id };
    const [outcome] = await sim.log.append([
      { stream, expected: "no_stream", events: [{ id, type: "BroadcastCreated", data, metadata }] },
    ]);
    if (outcome!.kind === "invalid") throw new Error(outcome!.message);
  }
  /** As the route does it. */
  async #command(id: string, command: Command, owners: number): Promise<void> {
    const { name } = command;
    const at = iso(this.#sim.now);
    const changed = await change<Broadcast, PublicError>(this.#sim.log, {
      stream: streamOf("broadcast", id),
      evolve: evolveBroadcast,
      eventId: uuid5(`command ${this.#commands++}`, name),
      decide: (state) => decideCommand(state, this.#partner, command, at),
      metadata: { partner: this.#partner, correlation: id },
    });
    if (changed.kind === "changed" && (name === "pause" || name === "cancel"))
      this.stops.push({ id, position: changed.position, owners });
  }

  /** Of those that are paused some go on, and of drafts some start, when nothing else is to be done. */
  async wakeUp(owners: number): Promise<void> {
    for (const id of this.ids)
      if (this.#sim.draw() < 0.7)
        for (const name of ["start", "resume"] as const) await this.#command(id, { name }, owners);
  }
  /** One runs, or starts by itself. */
  get areBusy(): boolean {
    return [...this.kept.tables.broadcasts.values()].some(
      ({ status, send_at }) => status === "running" || (status === "draft" && send_at !== null),
    );
  }
}
