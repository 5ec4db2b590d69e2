import { channelModule } from "@heliograph/channels";
import { type FailoverStep, type FieldError, PublicError } from "@heliograph/contracts";
import type { Accepted } from "./accept.ts";
import { invalid, maxContentBytes } from "./content.ts";
import type { SendMessage, SendStep } from "./send.ts";

/** A step that has one of them says something of its own; a subject alone goes with what the message says. */
const content = ["text", "html", "template"] as const;

/** Accepts a message with its further steps, each held by `accept` against everything that a message is. Throws what one of them would be refused with. */
export function acceptSteps(
  body: SendMessage,
  accept: (send: SendMessage, isStep: boolean) => Promise<Accepted>,
): Promise<Accepted> {
  return body.failover === undefined ? accept(body, false) : acceptAll(body, accept);
}

async function acceptAll(
  body: SendMessage,
  accept: (send: SendMessage, isStep: boolean) => Promise<Accepted>,
): Promise<Accepted> {
  const sends = stepSends(body);
  const own = await accept(body, false);
  const steps: Accepted[] = [];
  for (const [index, send] of sends.entries())
    try {
      steps.push(await accept(send, true));
    } catch (error) {
      throw error instanceof PublicError ? ofStep(error, index) : error;
    }
  return withSteps(body, own, steps);
}

/** What each further step asks for, as a send of its own. Throws `invalid_request`. */
function stepSends(body: SendMessage): readonly SendMessage[] {
  const steps = body.failover ?? [];
  const errors = steps.flatMap((step, index) => orderFaults(body, steps, step, index));
  if (errors.length > 0) throw invalid(errors);
  return steps.map((step) => sendOf(body, step));
}

/** `category` is the message's; what it says and to whom too, where the step says nothing else. Files go with the first step alone. */
function sendOf(body: SendMessage, step: SendStep): SendMessage {
  const { on: _, after_seconds: __, ...own } = step;
  const says = content.some((field) => step[field] !== undefined);
  return {
    ...(body.category !== undefined && { category: body.category }),
    ...(body.quiet_hours !== undefined && { quiet_hours: body.quiet_hours }),
    ...(says ? {} : saidBy(body, step)),
    ...(says && step.template !== undefined && variablesOf(body)),
    ...own,
    to: step.to ?? body.to,
    // A contact has another address on another channel.
    ...(step.to === undefined && body.contact_id !== undefined && { contact_id: body.contact_id }),
  };
}

/** What the message says, as far as the step's channel carries it. Each channel's template has versions of its own. */
function saidBy(body: SendMessage, { channel }: SendStep): Partial<SendMessage> {
  const { template } = body;
  if (template !== undefined) {
    if (typeof template === "string") return { template, ...variablesOf(body) };
    const { version: _, ...named } = template;
    return { template: named, ...variablesOf(body) };
  }
  const { limits } = channelModule(channel);
  const carried = (["text", "html", "subject"] as const).filter(
    (field) => body[field] !== undefined && limits[field] !== undefined,
  );
  return Object.fromEntries(carried.map((field) => [field, body[field]]));
}

const variablesOf = ({ language, variables }: SendMessage): Partial<SendMessage> => ({
  ...(language !== undefined && { language }),
  ...(variables !== undefined && { variables }),
});

function orderFaults(
  body: SendMessage,
  steps: readonly SendStep[],
  { channel, on, after_seconds: after }: SendStep,
  index: number,
): FieldError[] {
  const before = [body.channel, ...steps.slice(0, index).map((step) => step.channel)];
  const fault = (field: string, code: string, message: string): FieldError => ({
    path: `failover.${index}.${field}`,
    code,
    message,
  });
  const errors: FieldError[] = [];
  if (before.includes(channel))
    errors.push(fault("channel", "duplicate", "is the channel of a step before"));
  if (!on.includes("no_receipt")) return errors;
  if (after === undefined)
    errors.push(fault("after_seconds", "required", "says how long no_receipt waits"));
  if (before.at(-1) === "broadcast")
    errors.push(fault("on", "not_allowed", "a broadcast confirms no delivery to wait for"));
  return errors;
}

/** A refusal of a step, whose fields are named as they stand in the message. */
const ofStep = (error: PublicError, index: number): PublicError =>
  new PublicError(error.code, `failover.${index}: ${error.message}`, {
    errors: error.errors.map((each) => ({ ...each, path: `failover.${index}.${each.path}` })),
    extra: error.extra,
  });

/** The message with its further steps, each accepted as a send of its own. What is held is the dearest. */
function withSteps(
  body: SendMessage,
  { data, costMicros, asks }: Accepted,
  accepted: readonly Accepted[],
): Accepted {
  const failover = accepted.map(({ data: step }, index): FailoverStep => {
    const { on, after_seconds } = body.failover![index]!;
    const { channel, to, from, sender_rule, reply_to, unsubscribe_url } = step;
    const { cost, price, segments } = step;
    const { quiet_hours: quiet } = step;
    return {
      channel,
      to,
      ...(from !== undefined && { from }),
      ...(sender_rule !== undefined && { sender_rule }),
      ...(reply_to !== undefined && { reply_to }),
      ...(unsubscribe_url !== undefined && { unsubscribe_url }),
      content: step.content,
      on: [...new Set(on)],
      ...(after_seconds !== undefined && { after_seconds }),
      cost,
      price,
      segments,
      // Of a recipient about whom nobody knows, the message's own stand.
      ...(quiet !== undefined && quiet.found !== "none" && { quiet_hours: quiet }),
    };
  });
  const contents = [data.content, ...failover.map((step) => step.content)];
  if (JSON.stringify(contents).length > maxContentBytes)
    throw invalid([
      {
        path: "failover",
        code: "too_long",
        message: `the contents of all steps have more than ${maxContentBytes} bytes as JSON`,
      },
    ]);
  const dearest = accepted.reduce(
    (most, step) => (step.costMicros > most.costMicros ? step : most),
    {
      data,
      costMicros,
    },
  );
  return {
    data: { ...data, failover, hold: dearest.data.cost },
    costMicros: dearest.costMicros,
    asks: [asks, ...accepted.map((step) => step.asks)].flatMap((each) => each ?? []),
  };
}
