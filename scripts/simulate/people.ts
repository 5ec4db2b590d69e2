import { createCipheriv } from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import { sealRequests } from "@heliograph/acceptance";
import { deterministicId, PublicError, uuid5, type EventData } from "@heliograph/contracts";
import { recordInbound, type GatewayConfig } from "@heliograph/gateways";
import { LogUnavailable, type RecordedEvent } from "@heliograph/log";
import { loosely } from "@heliograph/testkit";
import { openVault, type Vault } from "@heliograph/vault";
import { Keys } from "../../packages/vault/test/sim-keys.ts";
import {
  createContact,
  removeExternalId,
  updateContact,
  refusalOf,
} from "../../services/contacts/src/commands.ts";
import { erasureReactor } from "../../services/contacts/src/erasure/reactor.ts";
import type { FieldsPatch } from "../../services/contacts/src/profile.ts";
import { matchingReactor } from "../../services/contacts/src/matching/reactor.ts";
import { mergeReactor } from "../../services/contacts/src/merge/reactor.ts";
import { mergeContacts, unmergeContacts } from "../../services/contacts/src/merge/saga.ts";
import { changeContact, type ContactsContext } from "../../services/contacts/src/streams.ts";
import { threadsReactor } from "../../services/conversations/src/reactor.ts";
import { simulator } from "../../services/dispatch/test/harness.ts";
import type { Sim } from "../../services/dispatch/test/sim.ts";
import { keywordsReactor } from "../../services/suppressions/src/reactor.ts";
import type { Ways } from "./chance.ts";
import { openClearing } from "./clearing.ts";
import { masterKey } from "./endpoints.ts";
import { Flights, slowLog } from "./flights.ts";
import { Kept, type Query } from "./kept.ts";
import type { Player } from "./owner.ts";

const environment = "live";
const inbox = "+15550109999";
const numberOf = (person: number): string => `+1555000000${person}`;
const texts = ["STOP", "STOP", "START", "HELP", "hello"] as const;
const gateway = { id: deterministicId("gtw", "inbound"), kind: "simulator" };
/** Those that keywords are answered through. */
const gateways: readonly GatewayConfig[] = (["sms", "email", "whatsapp"] as const).map((channel) =>
  simulator(channel, { environment }),
);

/** The key of names, as the vault would have stored it: the same each time. */
function namingKey(): Buffer {
  const nonce = Buffer.alloc(12);
  const cipher = createCipheriv("aes-256-gcm", masterKey, nonce);
  cipher.setAAD(Buffer.from(`${environment}|naming`));
  const body = Buffer.concat([cipher.update(Buffer.alloc(32, 3)), cipher.final()]);
  return Buffer.concat([nonce, body, cipher.getAuthTag()]);
}

/** What somebody wrote. */
export type Written = {
  readonly from: string;
  readonly text: string;
  readonly inboundId: string;
  readonly messageId: string;
};
type Request = (context: ContactsContext, wait: Ways["inFlight"]) => Promise<unknown>;

/** Those that messages go to and come from, and whoever keeps their contacts: the API with its requests, which may die, and the reactors behind it. */
export class People {
  readonly keys: Keys;
  /** Reads and seals at once. */
  readonly plain: Vault;
  readonly written: Written[] = [];
  readonly faults: string[] = [];
  /** How far keywords were read when the erasure of a contact began. */
  readonly heard = new Map<string, bigint>();
  haveTags = false;
  readonly #sim: Sim;
  readonly #partner: string;
  readonly #count: number;
  #requests = 0;
  #api: { readonly flights: Flights; readonly vault: Vault };
  /** Requests that somebody gave no answer to: they come again under the same key. */
  #again: (() => Promise<void>)[] = [];

  private constructor(sim: Sim, partner: string, count: number, plain: Vault, keys: Keys) {
    this.#sim = sim;
    this.#partner = partner;
    this.#count = count;
    this.plain = plain;
    this.keys = keys;
    this.#api = { flights: new Flights(sim), vault: plain };
  }
  static async open(sim: Sim, partner: string, count: number): Promise<People> {
    const keys = new Keys(namingKey());
    // Who waits with promises waits in the simulated time, too.
    syncBuiltinESMExports();
    const plain = await openVault(keys.pool, masterKey, environment);
    const people = new People(sim, partner, count, plain, keys);
    await people.#restart();
    const vaults: Vault[] = [];
    // Of a few processes: what one remembers another may not.
    for (let made = 0; made < 3; made++)
      vaults.push(await openVault(keys.pool, masterKey, environment));
    sim.opensClearing = (look) =>
      openClearing(sim, { keys, plain, vault: sim.oneOf(vaults) }, look);
    return people;
  }
  get numbers(): readonly string[] {
    return Array.from({ length: this.#count }, (_, person) => numberOf(person));
  }

  /** The vault as a process has it. */
  #vaultOf(inFlight: Ways["inFlight"]): Promise<Vault> {
    const query = (given: string | Query, values?: unknown[]) => {
      const whole = typeof given === "string" ? { text: given, ...(values && { values }) } : given;
      return inFlight(async () => this.keys.query(whole));
    };
    return openVault(loosely({ query }), masterKey, environment);
  }
  /** What a reactor has that is about people. */
  get tools(): Pick<Player, "scans" | "vault" | "gateways"> {
    const vault = (ways: Ways): Promise<Vault> => this.#vaultOf((act) => ways.inFlight(act));
    return { scans: true, vault, gateways };
  }
  players(): readonly Player[] {
    const reactors = [
      matchingReactor,
      threadsReactor,
      keywordsReactor,
      mergeReactor,
      erasureReactor,
    ];
    const keywords = new PeopleKept();
    return reactors.map((each) => ({
      ...this.tools,
      kept: each === keywordsReactor ? keywords : new PeopleKept(),
      reactor: () => each,
      note: (events) => this.#noteErasures(events, keywords.position),
    }));
  }

  #noteErasures(events: readonly RecordedEvent[], heard: bigint): void {
    for (const { type, data } of events)
      if (type === "ContactErasureRequested" && !this.heard.has(data.contact_id))
        this.heard.set(data.contact_id, heard);
  }

  /** What is personal in it is sealed, as chance has it. */
  async sealed(data: EventData<"MessageRequested">): Promise<EventData<"MessageRequested">> {
    if (this.#sim.draw() < 0.5) return data;
    const [sealed] = await sealRequests(this.plain, this.#partner, [
      { data, fingerprint: undefined },
    ]);
    return sealed!.data;
  }

  /** Somebody writes, or what he wrote is posted once more. */
  async write(most: number): Promise<void> {
    const { written } = this;
    if (written.length >= most) return;
    const sim = this.#sim;
    // No two texts are of one time.
    sim.now++;
    const known = sim.draw() < 0.1 ? written.at(-1) : undefined;
    const from = known?.from ?? sim.oneOf(this.numbers);
    const text = known?.text ?? sim.oneOf(texts);
    const id = known === undefined ? `in-${written.length}` : `in-${written.length - 1}`;
    const said = {
      from,
      to: inbox,
      text,
      provider_message_id: id,
      profile_name: `Person ${from.at(-1)}`,
    };
    const posted = {
      gateway,
      channel: "sms" as const,
      providerMessageId: id,
      partner: this.#partner,
      from,
      receivedAt: new Date(sim.now).toISOString(),
      contentType: "application/json",
      raw: Buffer.from(JSON.stringify(said)),
    };

    const metadata = { partner: this.#partner };
    const { messageId } = await recordInbound(
      { log: sim.log, vault: this.plain },
      posted,
      metadata,
    );
    const inboundId = deterministicId("inb", "inbound", gateway.id, this.#partner, id);
    if (known === undefined) written.push({ from, text, inboundId, messageId });
  }

  /** Those that nobody asked to erase. */
  async contacts(): Promise<readonly string[]> {
    const types = ["ContactCreated", "ContactErasureRequested"] as const;
    const { events } = await this.#sim.log.readAll({ after: 0n, limit: 10_000, types });
    const ids = new Set<string>();
    for (const { type, data } of events)
      if (type === "ContactCreated") ids.add(data.contact_id);
      else ids.delete(data.contact_id);
    return [...ids];
  }
  async #restart(): Promise<void> {
    const flights = new Flights(this.#sim);
    this.#api = { flights, vault: await openVault(this.keys.pool, masterKey, environment) };
  }
  /** The API dies with all requests that are under way, and starts again. */
  die(): Promise<void> {
    this.#api.flights.end();
    return this.#restart();
  }
  get areBusy(): boolean {
    return this.#api.flights.areUnderWay || this.#again.length > 0;
  }
  async advance(): Promise<boolean> {
    if (await this.#api.flights.advance()) return true;
    const again = this.#again.shift();
    await again?.();
    return again !== undefined;
  }

  /** Somebody asks something of the API. */
  async ask(most: number): Promise<void> {
    const sim = this.#sim;
    if (this.#requests >= most) return;
    const ids = await this.contacts();
    const kind = sim.draw();
    const some = { source: "sms", id: sim.oneOf(this.numbers) };
    if (ids.length === 0 || kind < 0.25) {
      const crm = { source: "crm", id: `C-${Math.floor(sim.draw() * 4)}` };
      const external_ids = sim.oneOf([[some], [crm], [some, crm]]);
      const id = deterministicId("cnt", `${this.#requests}`);
      return this.#begin((context) =>
        createContact(context, { external_ids, name: "Ada" }, { made_by: "api" }, id),
      );
    }
    const one = sim.oneOf(ids);
    if (kind < 0.6) return this.#merge(one, sim.oneOf(ids));
    if (kind < 0.7) return this.#unmerge();
    if (kind < 0.8) return this.#begin((context) => removeExternalId(context, one, some));
    if (kind < 0.9)
      return this.#begin((context) => updateContact(context, one, this.#fields(kind)));
    return this.#erase(one);
  }
  #fields(kind: number): FieldsPatch {
    const tags = kind < 0.85 ? ["a", "b"] : ["b"];
    return { name: `Bob ${kind}`, ...(this.haveTags && { tags }) };
  }
  #merge(from: string, into: string): Promise<void> {
    const merge = { from, into, mergeId: deterministicId("mrg", `${this.#requests}`) };
    const none = async () => ({ conversations: 0, messages: 0 });
    return this.#begin((context, wait) => mergeContacts(context, merge, () => wait(none)));
  }
  async #unmerge(): Promise<void> {
    const types = ["ContactAbsorbed"] as const;
    const { events } = await this.#sim.log.readAll({ after: 0n, limit: 10_000, types });
    if (events.length === 0) return;
    const { contact_id, merge_id } = this.#sim.oneOf(events).data;
    return this.#begin((context) => unmergeContacts(context, contact_id, merge_id));
  }
  /** As the route does it. */
  #erase(id: string): Promise<void> {
    const erasure_id = deterministicId("ers", `${this.#requests}`);
    return this.#begin((context) =>
      changeContact<PublicError>(context, id, context.eventId("erasure"), (contact) => {
        const refusal = refusalOf(contact, id);
        if (refusal !== undefined) return { refusal };
        if (contact!.absorbing !== undefined)
          return { refusal: new PublicError("conflict", "It is busy.") };
        const requested_at = new Date().toISOString();
        return {
          events: [
            { type: "ContactErasureRequested", data: { contact_id: id, erasure_id, requested_at } },
          ],
        };
      }),
    );
  }
  async #begin(request: Request): Promise<void> {
    const key = `request ${this.#requests++}`;
    const run = async (): Promise<void> => {
      const { flights, vault } = this.#api;
      const inFlight: Ways["inFlight"] = (act) => flights.take(act);
      const context: ContactsContext = {
        log: slowLog(this.#sim.log, inFlight, true),
        vault,
        partner: this.#partner,
        metadata: () => ({ partner: this.#partner, actor: "test" }),
        eventId: (name) => uuid5(key, name),
      };
      void request(context, inFlight).catch((error: unknown) => {
        if (error instanceof PublicError) return;
        if (!(error instanceof LogUnavailable)) this.faults.push(`${key}: ${String(error)}`);
        else if (this.#sim.draw() < 0.5) this.#again.push(run);
      });
    };
    // Some ask twice at once.
    if (this.#sim.draw() < 0.1) this.#again.push(run);
    await run();
  }
}

/** What reactors of contacts and conversations ask of tables: of those nothing is in the simulation. */
class PeopleKept extends Kept {
  override async query({ name }: Query): Promise<{ readonly rows: readonly object[] }> {
    if (name === "contact_activity_sum") return { rows: [{ conversations: 0, messages: 0 }] };
    if (name?.endsWith("_next") === true) return { rows: [{ due_at: null }] };
    return { rows: [] };
  }
}
