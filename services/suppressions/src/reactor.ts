import { channelModule, magicOutcome, sameRecipient } from "@heliograph/channels";
import {
  deterministicId,
  failpoint,
  streamOf,
  uuid5,
  type Channel,
  type EventData,
} from "@heliograph/contracts";
import {
  decideEnd,
  decideStart,
  evolveSuppression,
  optedOutCode,
  suppressionName,
  type Suppression,
  type SuppressionEvent,
  formatTime,
  timeOfEvent,
} from "@heliograph/domain";
import { movesOf } from "@heliograph/gateways";
import { change, LogUnavailable, type RecordedEvent } from "@heliograph/log";
import { reactor, type ReactorInstance, type ReactorTools } from "@heliograph/runtime";
import { erasedText, type Seal } from "@heliograph/vault";
import { following } from "./following.ts";
import { otherAddresses } from "./keywords/alias.ts";
import { answer } from "./keywords/answer.ts";
import { keywordOf } from "./keywords/recognise.ts";
import { mailedTo } from "./mailed-to.ts";
import { place } from "./placed.ts";
import { recipientOf } from "./seal.ts";

type Received = RecordedEvent<"MessageReceived">;
type Bounced = RecordedEvent<"MessageBounced">;
type Complained = RecordedEvent<"MessageComplained">;
type Failed = RecordedEvent<"MessageFailed">;
type Corrected = RecordedEvent<"MessageCorrected">;
type StepFailed = RecordedEvent<"FailoverStepFailed">;
type Reported = RecordedEvent<"ReceiptReceived" | "ReceiptReread">;
type Cause = Received | Bounced | Complained | Failed | Corrected | StepFailed | Reported;

/** Evidence holds so much of a text. */
const maxEvidenceCharacters = 2_000;
/** A sealed text that is longer is no keyword: 20,000 characters, which is a mail with what it quotes. */
const maxToken = 110_000;

/** Starts and ends suppressions by what people write, what comes back for good and what is complained about, and answers keywords. */
export const keywordsReactor = reactor({
  kind: "reactor",
  name: "suppression-keywords",
  // Not the projector's schema, which a rebuild replaces.
  schema: "suppression_keywords",
  types: [
    "MessageReceived",
    "MessageBounced",
    "MessageComplained",
    "MessageFailed",
    "MessageCorrected",
    "FailoverStepFailed",
    "ReceiptReceived",
    "ReceiptReread",
  ],
  concerns: isOfInterest,
  spaces: {},
  migrations: [],
  start: startKeywords,
});

function isOfInterest(event: Cause): boolean {
  if (event.type === "MessageFailed") return event.data.error.code === optedOutCode;
  if (event.type === "ReceiptReceived" || event.type === "ReceiptReread")
    return event.data.status === "unsubscribed";
  return true;
}

function startKeywords(tools: ReactorTools): ReactorInstance<Cause["type"]> {
  const { checkpoint } = tools;
  return {
    async handle(batch) {
      // One after the other: STOP and START of one person are decided in the order in which they came, and what changed something is not decided again after a later one.
      for (const event of batch.events) {
        if (await handleOne(tools, event)) await checkpoint.commit(event.position);
      }
      await checkpoint.commit(batch.position);
    },
    stop: async () => undefined,
  };
}

/** Gives whether it did something. */
function handleOne(tools: ReactorTools, event: Cause): Promise<boolean> {
  switch (event.type) {
    case "MessageReceived":
      return received(tools, event);
    case "MessageBounced":
      return bounced(tools, event);
    case "MessageComplained":
      return complained(tools, event);
    case "MessageFailed":
      return optedOut(tools, event);
    case "MessageCorrected":
      return corrected(tools, event);
    case "FailoverStepFailed":
      // With a diagnostic it is mail that came back.
      return event.data.diagnostic === undefined ? optedOut(tools, event) : bounced(tools, event);
    case "ReceiptReceived":
    case "ReceiptReread":
      return unsubscribed(tools, event);
    default:
      return event satisfies never;
  }
}

const short = (token: string | undefined): string | undefined =>
  token !== undefined && token.length <= maxToken ? token : undefined;

/** Gives whether it was a keyword. */
async function received(tools: ReactorTools, event: Received): Promise<boolean> {
  const { vault } = tools.context;
  const { channel, automatic, unverified, message_id } = event.data;
  const partner = event.metadata.partner ?? "";
  // Anybody can write a mail in somebody else's name: it neither stops nor answers.
  if (automatic === true || unverified === true) return false;
  const sealed = {
    from: event.data.from,
    text: short(event.data.text),
    subject: short(event.data.subject),
  };
  const { from, text, subject } = (await vault.open(partner, sealed))(sealed);
  const found = keywordOf({ channel, text, subject });
  const address = channelModule(channel).recipient(from);
  if (found === undefined || from === erasedText || address.kind === "fault") return false;
  const { to } = address.value;
  const { name, seal } = await recipientOf(vault, { partner, channel, to });
  const said = text === undefined || text.trim() === "" ? (subject ?? "") : text;
  const own = { to, name, seal };
  // It is the person's, who may have two addresses.
  const others = await Promise.all(
    (await otherAddresses(tools.context, event, to)).map(async (other) => ({
      to: other,
      ...(await recipientOf(vault, { partner, channel, to: other })),
    })),
  );
  const stopAt = (at: typeof own, id: string): Promise<boolean> =>
    start(
      tools,
      event,
      at.name,
      {
        channel,
        to: at.seal(at.to),
        reason: "keyword",
        applies_to: "all",
        evidence: { message_id, text: sealedText(at.seal, said) },
      },
      id,
    );
  const changed = await {
    stop: async () => {
      let stopped = await stopAt(own, suppressionIdOf(event));
      for (const other of others)
        stopped = (await stopAt(other, suppressionIdOf(event, "alias", other.name))) || stopped;
      return stopped;
    },
    start: async () => {
      let started = false;
      for (const each of [own, ...others])
        started = (await forgiveAll(tools, event, { channel, ...each })) || started;
      return started;
    },
    help: async () => true,
  }[found.keyword]();
  await failpoint("suppressions.after_append");
  // Who had opted out already was told so then, and START of somebody whom no keyword stopped changes nothing.
  if (changed) await answer(tools, { event, found, name, from: to, subject });
  return true;
}

const sealedText = (seal: Seal, text: string): string => seal(text.slice(0, maxEvidenceCharacters));

type Started = EventData<"SuppressionStarted">;

const suppressionIdOf = ({ id }: Cause, ...of: readonly string[]): string =>
  deterministicId("sup", id, ...of);

/** Gives whether a period began. */
async function start(
  tools: ReactorTools,
  cause: Cause,
  name: string,
  about: Pick<Started, "channel" | "to" | "reason" | "applies_to" | "evidence">,
  id = suppressionIdOf(cause),
): Promise<boolean> {
  const metadata = following(cause, cause.data.message_id);
  await place(tools.context.log, id, name, metadata);
  const startedAt = timeOf(cause);
  return alter(tools, cause, name, (periods) =>
    about.reason === "keyword" && isOvertaken(periods, startedAt)
      ? []
      : decideStart(periods, {
          suppression_id: id,
          name,
          started_at: startedAt,
          ...about,
        }),
  );
}

function timeOf(cause: Cause): string {
  const { type, data } = cause;
  if (type === "MessageReceived") return data.received_at;
  return formatTime(timeOfEvent(cause));
}

/** The provider may call one person by another form of the number than when STOP came, or by another address: START counts for all of them, as a send is held against all. */
async function forgiveAll(
  tools: ReactorTools,
  cause: Received,
  { channel, to, name }: { readonly channel: Channel; readonly to: string; readonly name: string },
): Promise<boolean> {
  const { vault } = tools.context;
  const partner = cause.metadata.partner ?? "";
  let ended = await forgive(tools, cause, name);
  const others =
    channelModule(channel).moves === undefined
      ? sameRecipient(channel, to).map((other) => suppressionName(vault, partner, channel, other))
      : (await movesOf(tools.context, { partner, channel, address: to })).suppressions;
  for (const other of others) if (await forgive(tools, cause, other)) ended = true;
  return ended;
}

/** START ends what an earlier STOP began, and nothing else: a complaint, a bounce and what the partner has set stay. */
const forgive = (tools: ReactorTools, cause: Received, name: string): Promise<boolean> =>
  alter(tools, cause, name, (periods) =>
    decideEnd(
      periods,
      ({ reason, started_at }) =>
        reason === "keyword" && !isLater(started_at, cause.data.received_at),
      {
        reason: "keyword",
        evidence: { message_id: cause.data.message_id },
        ended_at: cause.data.received_at,
      },
    ),
  );

const isLater = (time: string, than: string): boolean => Date.parse(time) > Date.parse(than);

/** Somebody who wrote START after this STOP has the last word: the STOP was set aside and is handled again. */
const isOvertaken = (periods: Suppression, at: string): boolean =>
  periods.some(({ ended }) => ended?.reason === "keyword" && isLater(ended.ended_at, at));

async function alter(
  { context }: ReactorTools,
  cause: Cause,
  name: string,
  decide: (periods: Suppression) => readonly SuppressionEvent[],
): Promise<boolean> {
  await failpoint("suppressions.before_append");
  const result = await change<Suppression>(context.log, {
    stream: streamOf("suppression", name),
    eventId: uuid5(cause.id, "suppression", name),
    metadata: following(cause, cause.data.message_id),
    evolve: evolveSuppression,
    decide: (periods = []) => ({ events: decide(periods) }),
  });
  if (result.kind === "contended")
    throw new LogUnavailable(`${name} kept changing while a keyword was decided`);
  return result.kind === "changed";
}

/**
 * Mail that came back for good because of its recipient: nothing is sent there any more, since those who go on are taken for spammers by the receiving servers. In the sandbox the addresses
 * whose outcome is chosen stay usable.
 */
async function bounced(
  tools: ReactorTools,
  event: Bounced | Corrected | StepFailed,
): Promise<boolean> {
  const { message, error, diagnostic } = event.data;
  if (error === undefined || !error.permanent || error.class !== "recipient") return false;
  const to = await addressOf(tools, event);
  if (to === undefined) return false;
  const { environment } = tools.context;
  if (environment === "sandbox" && magicOutcome(message.channel, to) !== "delivered") return false;
  return stop(tools, event, to, "bounce", diagnostic);
}

/** What was no bounce stops nobody, and what was one after all does. */
async function corrected(tools: ReactorTools, event: Corrected): Promise<boolean> {
  const { message_id, message, status, before } = event.data;
  if (status === "bounced") return bounced(tools, event);
  if (before.status !== "bounced") return false;
  const to = await addressOf(tools, event);
  if (to === undefined) return false;
  const { channel } = message;
  const partner = event.metadata.partner ?? "";
  const { name } = await recipientOf(tools.context.vault, { partner, channel, to });
  return alter(tools, event, name, (periods) =>
    decideEnd(
      periods,
      ({ reason, evidence }) => reason === "bounce" && evidence.message_id === message_id,
      { reason: "correction", evidence: { message_id }, ended_at: timeOf(event) },
    ),
  );
}

/** Who said that messages are unwanted gets no more of them. In the sandbox too: a partner tries what follows, and ends the period to do so again. */
async function complained(tools: ReactorTools, event: Complained): Promise<boolean> {
  const to = await addressOf(tools, event);
  return to === undefined ? false : stop(tools, event, to, "complaint", event.data.diagnostic);
}

/** The provider heard the STOP and we did not: here it counts as one that we did. */
async function optedOut(tools: ReactorTools, event: Failed | StepFailed): Promise<boolean> {
  if (event.data.error.code !== optedOutCode) return false;
  const to = await addressOf(tools, event);
  return to === undefined
    ? false
    : stop(tools, event, to, "keyword", event.data.error.provider?.text);
}

/** Who told the provider to get no more advertising by e-mail gets none through us either. */
async function unsubscribed(tools: ReactorTools, event: Reported): Promise<boolean> {
  const { log, vault } = tools.context;
  const { message_id } = event.data;
  const partner = event.metadata.partner ?? "";
  const [first] = await log.readStream(streamOf("message", message_id), { limit: 1 });
  const sealed = first?.type === "MessageRequested" ? mailedTo(first.data) : undefined;
  if (sealed === undefined) return false;
  const to = (await vault.open(partner, sealed))(sealed);
  if (to === erasedText) return false;
  const channel = "email";
  const { name, seal } = await recipientOf(vault, { partner, channel, to });
  return start(tools, event, name, {
    channel,
    to: seal(to),
    reason: "unsubscribe",
    applies_to: "marketing",
    evidence: { message_id },
  });
}

/** Undefined once it is erased. */
async function addressOf(
  { context: { vault } }: ReactorTools,
  { data: { message }, metadata: { partner = "" } }: Exclude<Cause, Received | Reported>,
): Promise<string | undefined> {
  const to = (await vault.open(partner, message.to))(message.to);
  return to === erasedText ? undefined : to;
}

async function stop(
  tools: ReactorTools,
  event: Exclude<Cause, Received | Reported>,
  to: string,
  reason: "bounce" | "complaint" | "keyword",
  said: string | undefined,
): Promise<boolean> {
  const { message_id, message } = event.data;
  const { channel } = message;
  const partner = event.metadata.partner ?? "";
  const { name, seal } = await recipientOf(tools.context.vault, { partner, channel, to });
  const evidence = { message_id, ...(said !== undefined && { text: sealedText(seal, said) }) };
  return start(tools, event, name, {
    channel,
    to: seal(to),
    reason,
    applies_to: "all",
    evidence,
  });
}
