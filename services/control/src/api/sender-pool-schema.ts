import { ListQuery } from "@heliograph/api";
import { channelModule, inboxAddress } from "@heliograph/channels";
import {
  channels,
  environments,
  type Channel,
  type FieldError,
  mostPoolSenders,
} from "@heliograph/contracts";
import type { SenderPool } from "@heliograph/domain";
import { z } from "zod";

const Senders = z
  .array(z.string().min(1).max(400))
  .min(1)
  .max(mostPoolSenders)
  .meta({
    description: "Numbers, names or mail addresses, each as a message would give it in `from`.",
    example: ["+15550100001", "+15550100002"],
  });
const Default = z.boolean().meta({
  description: "Whether messages of the channel that name no sender take one of these.",
});
const Environment = z.enum(environments).optional();

export const CreateSenderPool = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, {
      error: "must be small letters, digits, dots, dashes and underscores, at most 64",
    }),
    channel: z.enum(channels),
    senders: Senders,
    default: Default.optional(),
    gateway_id: z.string().max(64).optional().meta({
      description:
        "For operators: whose senders they are. Whoever that gateway carries for can name the pool, and such messages go by it alone.",
    }),
    environment: Environment.meta({ description: "For operators; default: the key's." }),
  })
  .meta({
    id: "CreateSenderPool",
    example: {
      name: "eu-numbers",
      channel: "sms",
      senders: ["+15550100001", "+15550100002"],
      default: true,
    },
  });
export type CreateSenderPool = z.infer<typeof CreateSenderPool>;

export const PatchSenderPool = z
  .strictObject({
    senders: Senders.optional().meta({
      description: "In place of those it had. Recipients keep theirs while it is among them.",
    }),
    default: Default.optional(),
  })
  .meta({ id: "PatchSenderPool", example: { senders: ["+15550100001", "+15550100003"] } });
export type PatchSenderPool = z.infer<typeof PatchSenderPool>;

export const SenderPoolsQuery = ListQuery.extend({
  channel: z.enum(channels).optional(),
  environment: Environment,
});

export const SenderPoolView = z
  .object({
    id: z.string().meta({ example: "spl_01HNQX2P8Y9R3T4V5W6Z7A8B9C" }),
    environment: z.enum(environments),
    name: z.string(),
    channel: z.enum(channels),
    senders: Senders,
    default: Default,
    gateway_id: z.string().nullable().meta({
      description: "Of a pool that an operator made: whose senders they are.",
    }),
    updated_at: z.string(),
  })
  .meta({ id: "SenderPool" });

export const senderPoolView = (pool: SenderPool): z.infer<typeof SenderPoolView> => ({
  id: pool.pool_id,
  environment: pool.environment,
  name: pool.name,
  channel: pool.channel,
  senders: pool.senders,
  default: pool.default,
  gateway_id: pool.gateway_id ?? null,
  updated_at: pool.configured_at,
});

type Read = Pick<SenderPool, "senders" | "inboxes">;

/** Senders in the form that is stored and sent, with where people write to them. Gives what is wrong with each that is none. */
export function readSenders(
  channel: Channel,
  given: readonly string[],
): Read | { readonly errors: readonly FieldError[] } {
  const rules = channelModule(channel);
  const senders: string[] = [];
  const inboxes: string[] = [];
  const errors: FieldError[] = [];
  for (const [index, text] of given.entries()) {
    const path = `senders.${index}`;
    const sender = rules.sender(text);
    if (sender.kind === "fault") {
      errors.push({ path, code: sender.code, message: sender.message });
      continue;
    }
    const inbox = inboxAddress(channel, bare(sender.value));
    const address = inbox.kind === "read" ? inbox.value : sender.value;
    // Two ways to write one number are one sender.
    if (inboxes.includes(address)) errors.push({ path, code: "duplicate", message: "is there" });
    senders.push(sender.value);
    inboxes.push(address);
  }
  return errors.length > 0 ? { errors } : { senders, inboxes };
}

/** A mailbox without the name beside it; a number that is too long for a short code with its plus. */
const bare = (sender: string): string =>
  /<([^<>]+)>$/.exec(sender)?.[1] ?? (/^\d{9,15}$/.test(sender) ? `+${sender}` : sender);
