import {
  type Environment,
  type EventData,
  PublicError,
  failpoint,
  newId,
} from "@heliograph/contracts";
import { acceptedView, walletName } from "@heliograph/domain";
import {
  asPublicError,
  type EnvironmentDeps,
  inProgress,
  machinery,
  messageOfKey,
} from "@heliograph/api";
import { Company, type EventLog, LogUnavailable, type Outcome } from "@heliograph/log";
import type { GatewayDirectory } from "@heliograph/runtime";
import { type Accepted, sealRequests, type Suppressed } from "@heliograph/acceptance";
import type { ReachOf } from "@heliograph/contacts";
import { acceptSend } from "./accepting.ts";
import { contactsOf, nobody } from "./addressed.ts";
import { Admission } from "./admission.ts";
import { allow, giveBackAllowed, unstored } from "./allow.ts";
import { followFeed } from "./feed.ts";
import { Funds } from "./funds.ts";
import { printOf, type Item, type Settled } from "./item.ts";
import { namesAddress, type FetchMedia } from "./fetching.ts";
import { giveFiles, withoutFile } from "./media.ts";
import { originalsOf, type Originals } from "./originals.ts";
import { Outcomes } from "./outcomes.ts";
import { appendOf, contactErased, tooLarge } from "./sealed.ts";
import { refusedFunds } from "./refusals.ts";
import {
  hasFiles,
  idOf,
  type Pending,
  type Prepared,
  type Ready,
  type Refused,
} from "./prepared.ts";
import type { SendMessage } from "./schema.ts";
import type { Sender } from "./sender.ts";
import { asksSenders, giveSenders, keepingSenders, withSenders } from "./senders.ts";
import { Shares } from "./shares.ts";
import { batchesAtOnce, sharedSliceLength, singlesAtOnce, sliceLength } from "./slices.ts";
import { TemplateCache } from "./templates.ts";

type Requested = EventData<"MessageRequested">;

/** Accepts the messages of one environment: the memory of templates, funds and waiting callers, kept fresh by one subscription. */
export class Sending {
  readonly environment: Environment;
  readonly log: EventLog;
  readonly directory: GatewayDirectory;
  readonly templates: TemplateCache;
  readonly funds: Funds;
  readonly outcomes = new Outcomes();
  readonly suppressed: Pick<Suppressed, "find">;
  /** Ids derived from keys whose first request is between its checks and its outcome. */
  readonly #running = new Set<string>();
  readonly #company = new Company();
  readonly #singles = new Admission(singlesAtOnce, this.#company);
  /** Apart: what is urgent does not wait for a batch of its own partner. */
  readonly #batches = new Admission(batchesAtOnce, this.#company);
  readonly #shares = new Shares();
  readonly #pressure: EnvironmentDeps["pressure"];
  readonly #vault: EnvironmentDeps["vault"];
  /** All sends are sealed, not those alone that are personal anyway. */
  readonly #sealsAll: boolean;
  readonly #fetchMedia: FetchMedia;

  constructor(
    environment: Environment,
    deps: EnvironmentDeps,
    directory: GatewayDirectory,
    suppressed: Pick<Suppressed, "find">,
    sealsAll: boolean,
    fetchMedia: FetchMedia,
  ) {
    const { log } = deps;
    this.#vault = deps.vault;
    this.#sealsAll = sealsAll;
    this.#fetchMedia = fetchMedia;
    this.environment = environment;
    this.log = log;
    this.#pressure = deps.pressure;
    this.directory = directory;
    this.suppressed = suppressed;
    this.templates = new TemplateCache(log);
    this.funds = new Funds(log);
  }

  /** Follows the log until the signal ends. Resolves when the subscription stands; `done` when it has ended. `requested` hears of each message that is asked for, by whomever. */
  follow(
    signal: AbortSignal,
    onError: (error: unknown) => void,
    requested?: (message: Requested) => void,
  ): Promise<{ readonly done: Promise<void> }> {
    const { log, funds, templates, outcomes } = this;
    return followFeed({ log, funds, templates, outcomes, requested }, signal, onError);
  }

  messageId(partner: string, keyParts: readonly string[] | undefined): string {
    return keyParts === undefined
      ? newId("msg")
      : messageOfKey(this.environment, partner, keyParts);
  }

  /** What a send would come to, its funds aside. Nothing is stored; throws what it would be refused with. */
  quote(call: Sender, body: SendMessage): Promise<Accepted> {
    return acceptSend(this, call, body, newId("msg"), nobody);
  }

  /** Validates and prices without storing anything: the answer of a dry run, which has no id because there will be no such message. Throws what a send would be refused with. */
  async dryRun(call: Sender, body: SendMessage): Promise<Record<string, unknown>> {
    const data = await this.#check(call, body, newId("msg"));
    const { id: _, ...shown } = acceptedView(data, this.environment);
    return { ...shown, dry_run: true };
  }

  /** What needs neither its files nor a place in the log. Throws what a send would be refused with. */
  async #check(call: Sender, body: SendMessage, id: string): Promise<Requested> {
    const reached = await contactsOf(call, [body]);
    const asked = await acceptSend(this, call, body, id, reached);
    const accepted = await withSenders(call, asked);
    const { data, costMicros } = accepted;
    const wallet = walletName(call.partner, data.currency);
    const short = await this.funds.short(wallet, costMicros, data.created_at.slice(0, 10));
    if (short !== undefined) throw refusedFunds(short, accepted, this.environment);
    return data;
  }

  /**
   * Accepts sends; one result each, in order. A batch goes in slices, each an append, and partners take turns with them. Throws what fails
   * them all; once something is accepted, what goes wrong after it is the result of those it happened to.
   */
  send(call: Sender, asked: readonly Item[], ids: readonly string[]): Promise<readonly Settled[]> {
    if (!asked.some(namesAddress)) return this.#sendAll(call, asked, ids);
    // Before anybody waits for it: what is fetched may take its time.
    return this.#fetchMedia(call, asked, ids, {
      check: ({ body }, id) => this.#check(call, body, id),
      send: (items) => this.#sendAll(call, items, ids),
    });
  }

  async #sendAll(
    call: Sender,
    items: readonly Item[],
    ids: readonly string[],
  ): Promise<readonly Settled[]> {
    const name = call.partner.partner_id;
    this.#shares.note(name, items.length);
    const eased = this.#pressure?.(this.#shares.exceeds(name));
    // Whoever sends little does not wait for what others have made.
    if (eased !== undefined && !this.#shares.isModest(name)) await eased;
    const results: (Settled | undefined)[] = [];
    const pending: Pending[] = [];
    const beside: Pending[] = [];
    const claimed: string[] = [];
    for (let index = 0; index < items.length; index++) {
      const item = items[index]!;
      const id = ids[index]!;
      if (item.keyParts !== undefined) {
        if (this.#running.has(id)) {
          beside.push({ index, item, id });
          continue;
        }
        this.#running.add(id);
        claimed.push(id);
      }
      pending.push({ index, item, id });
    }
    const admission = items.length > 1 ? this.#batches : this.#singles;
    try {
      for (let from = 0; from < pending.length;) {
        const length = this.#company.isShared ? sharedSliceLength : sliceLength;
        const slice = pending.slice(from, from + length);
        from += slice.length;
        const entering = admission.enter(name, slice.length);
        if (entering !== undefined) await entering;
        try {
          await this.#sendSlice(call, slice, results);
        } finally {
          admission.leave(name, slice.length);
        }
      }
      // Behind the others, because two items of one batch may have one key.
      for (let from = 0; from < beside.length; from += sliceLength)
        await this.#whileRunning(name, beside.slice(from, from + sliceLength), results);
    } catch (error) {
      if (!results.some((result) => result?.kind === "sent")) throw error;
      const failed = this.#failed(call, error);
      for (const index of items.keys()) results[index] ??= failed;
    } finally {
      for (const id of claimed) this.#running.delete(id);
    }
    return results as Settled[];
  }

  /** What runs with a key may itself be a repetition: then the first request was answered, and so is this one. */
  async #whileRunning(
    partner: string,
    beside: readonly Pending[],
    results: (Settled | undefined)[],
  ): Promise<void> {
    const earlier = await this.#originals(partner, beside);
    for (const { index, item, id } of beside)
      results[index] = earlier(id, printOf(item)) ?? { kind: "refused", error: inProgress() };
  }

  /** Accepts some sends in one append. Throws what fails them all, and then nothing of them is known to be stored. */
  async #sendSlice(
    call: Sender,
    slice: readonly Pending[],
    results: (Settled | undefined)[],
  ): Promise<void> {
    const partner = call.partner.partner_id;
    const prepared: Ready[] = [];
    const refused: Refused[] = [];
    let outcomes: readonly Outcome[] = [];
    let allowed: readonly Requested[] = [];
    try {
      const bodies = slice.map(({ item }) => item.body);
      const contacts = contactsOf(call, bodies);
      const reached = contacts instanceof Promise ? await contacts : contacts;
      for (const each of slice)
        try {
          const value = await this.#prepare(call, each.item, each.id, reached);
          prepared.push({ index: each.index, value });
        } catch (error) {
          if (!(error instanceof PublicError)) throw error;
          refused.push({ ...each, error });
        }
      if (refused.length > 0) await this.#afterRefusals(partner, refused, results);
      if (call.limits!.countsMessages) allowed = await this.#allow(call, prepared, results);
      if (prepared.some(hasFiles)) await this.#giveFiles(call, prepared, results);
      if (prepared.some(asksSenders)) await giveSenders(call, prepared);
      if (prepared.some(this.#isSecret)) await this.#seal(call, prepared, results);
      const before = failpoint("ingress.before_append");
      if (before !== undefined) await before;
      if (prepared.length > 0)
        outcomes = await this.log.append(prepared.map(({ value }) => value.append));
    } catch (error) {
      // What was not appended gives its funds back; where that is unknown they stay set aside for their ten seconds.
      if (!(error instanceof LogUnavailable && error.outcomeUnknown)) {
        for (const { value } of prepared) this.#giveBack(value);
        giveBackAllowed(call, allowed);
      }
      throw error;
    }
    const after = failpoint("ingress.after_append");
    if (after !== undefined) await after;
    if (allowed.length > 0) giveBackAllowed(call, unstored(allowed, prepared, outcomes));
    const again: Ready[] = [];
    for (const [place, each] of prepared.entries())
      try {
        const settled = this.#settle(each.value, outcomes[place]!);
        if (settled === undefined) again.push(each);
        else results[each.index] = settled;
      } catch (error) {
        // Its neighbours are stored: it alone fails.
        results[each.index] = this.#failed(call, error);
      }
    if (again.length > 0) await this.#replay(call, again, results);
  }

  /** Takes out of the prepared what the partner may not send now. Gives what was counted. */
  async #allow(
    call: Sender,
    prepared: Ready[],
    results: (Settled | undefined)[],
  ): Promise<readonly Requested[]> {
    if (prepared.length === 0) return [];
    const partner = call.partner.partner_id;
    const asked = [...prepared];
    const found = await allow<Settled>(
      call,
      asked.map(({ value: { data } }) => data),
      async () => {
        const keyed = asked.filter(({ value }) => value.fingerprint !== undefined);
        const earlier = await this.#originals(partner, keyed.map(idOf));
        return (at) => {
          const { data, fingerprint: print } = asked[at]!.value;
          return print === undefined ? undefined : earlier(data.message_id, print);
        };
      },
    );
    for (const [place, each] of asked.entries()) {
      const result = found[place]!;
      if (result.kind === "allowed") continue;
      this.#giveBack(each.value);
      results[each.index] = result.kind === "earlier" ? result.answer : result;
      prepared.splice(prepared.indexOf(each), 1);
    }
    return prepared.map(({ value }) => value.data);
  }

  /** Files go to those whom they are sent to. A send of one that was deleted a moment ago is refused. */
  async #giveFiles(
    call: Sender,
    prepared: Ready[],
    results: (Settled | undefined)[],
  ): Promise<void> {
    const requests = prepared.map(({ value }) => value.data);
    const gone = await giveFiles(call, requests);
    if (gone.size === 0) return;
    for (const each of prepared.toReversed()) {
      const refusal = withoutFile(each.value.data, gone);
      if (refusal !== undefined) this.#refuse(each, refusal, prepared, results);
    }
  }

  #refuse(
    one: Ready,
    error: PublicError,
    prepared: Ready[],
    results: (Settled | undefined)[],
  ): void {
    this.#giveBack(one.value);
    results[one.index] = { kind: "refused", error };
    prepared.splice(prepared.indexOf(one), 1);
  }

  readonly #isSecret = ({ value }: Ready): boolean => this.#sealsAll || value.secret;

  /** Puts tokens in the place of what is personal in the events of replies, of sends to contacts and of broadcasts, or of all sends. A reply to somebody who was erased is refused. */
  async #seal(call: Sender, prepared: Ready[], results: (Settled | undefined)[]): Promise<void> {
    const secret = prepared.filter(this.#isSecret);
    const partner = call.partner.partner_id;
    const sealed = await sealRequests(
      this.#vault,
      partner,
      secret.map(({ value }) => value),
    );
    for (const [place, each] of secret.entries()) {
      const { fingerprint: print } = each.value;
      const request = sealed[place];
      const refusal = request === undefined ? contactErased() : tooLarge(request.data);
      if (refusal !== undefined) {
        this.#refuse(each, refusal, prepared, results);
        continue;
      }
      // The event's id is no hash of what was said either.
      const named = print && this.#vault.name("request", print);
      each.value = { ...each.value, append: appendOf(call, request!, named) };
    }
  }

  /** The result of a send that failed for a reason on our side. */
  #failed(call: Sender, thrown: unknown): Settled {
    const error = machinery(thrown) ?? asPublicError(thrown);
    call.context.logger.error({ err: thrown, request_id: call.requestId }, error.code);
    return { kind: "refused", error };
  }

  async #prepare(call: Sender, item: Item, messageId: string, reached: ReachOf): Promise<Prepared> {
    if (item.refusal !== undefined) throw item.refusal;
    const found = await acceptSend(this, call, item.body, messageId, reached);
    const { data: own, costMicros } = found;
    const asks = item.keepsSender === true ? keepingSenders(found) : found.asks;
    const accepted = { ...found, asks, data: { ...own, ...item.conversation } };
    const wallet = walletName(call.partner, own.currency);
    const asked = this.funds.reserve(wallet, messageId, costMicros, own.created_at.slice(0, 10));
    const funds = asked instanceof Promise ? await asked : asked;
    if (funds !== "reserved" && funds !== "already")
      throw refusedFunds(funds, accepted, this.environment);
    const print = item.keyParts && printOf(item);
    const append = appendOf(call, { data: accepted.data, fingerprint: print }, print);
    return {
      ...accepted,
      append,
      fingerprint: print,
      secret:
        item.conversation !== undefined ||
        item.body.contact_id !== undefined ||
        item.personal === true,
      reservedIn: funds === "reserved" ? wallet : undefined,
    };
  }

  /** What an outcome says by itself; undefined when the stream has to be looked at. */
  #settle(prepared: Prepared, outcome: Outcome): Settled | undefined {
    const { data } = prepared;
    switch (outcome.kind) {
      case "appended": {
        const body = acceptedView(data, this.environment);
        const { message_id: messageId } = data;
        return {
          kind: "sent",
          sent: { messageId, body, position: outcome.position, replayed: false },
        };
      }
      case "duplicate":
      case "conflict":
        return undefined;
      case "invalid":
        this.#giveBack(prepared);
        throw new Error(`MessageRequested: ${outcome.message}`);
      default:
        return outcome satisfies never;
    }
  }

  /** Their streams were there: this is the second request of their keys. */
  async #replay(
    call: Sender,
    again: readonly Ready[],
    results: (Settled | undefined)[],
  ): Promise<void> {
    for (const { value } of again) this.#giveBack(value);
    try {
      const earlier = await this.#originals(call.partner.partner_id, again.map(idOf));
      for (const { index, value } of again)
        try {
          const { message_id: id } = value.data;
          const original = earlier(id, value.fingerprint);
          if (original === undefined) throw new Error(`${id} is there and is not`);
          results[index] = original;
        } catch (error) {
          results[index] = this.#failed(call, error);
        }
    } catch (error) {
      // What is stored of the others stays.
      for (const { index } of again) results[index] = this.#failed(call, error);
    }
  }

  #giveBack({ reservedIn, data }: Prepared): void {
    if (reservedIn !== undefined) this.funds.release(reservedIn, data.message_id);
  }

  /** A refusal does not hide the first answer: a key that was accepted before is answered as it was then, whatever has changed since. */
  async #afterRefusals(
    partner: string,
    refused: readonly Refused[],
    results: (Settled | undefined)[],
  ): Promise<void> {
    const keyed = refused.filter(({ item }) => item.keyParts !== undefined);
    const earlier = await this.#originals(partner, keyed);
    for (const { index, item, id, error } of refused)
      results[index] = (item.keyParts && earlier(id, printOf(item))) ?? { kind: "refused", error };
  }

  #originals(partner: string, of: readonly { readonly id: string }[]): Promise<Originals> {
    const { log, environment } = this;
    return originalsOf({ log, vault: this.#vault, environment }, partner, of);
  }
}
