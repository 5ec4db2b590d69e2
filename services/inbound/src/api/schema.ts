import { channels } from "@heliograph/contracts";
import { z } from "zod";

/** An e-mail has the most; what a provider stores for it is one link each. */
const maxMedia = 10;

const Media = z
  .strictObject({
    url: z
      .string()
      .max(2_000)
      .regex(/^https?:\/\/[^\s]+$/i, "must be an http:// or https:// address")
      .optional(),
    attachment_id: z.string().max(64).optional().meta({
      description:
        "In place of `url`: an attachment of yours, which becomes a kept file of the message and of its sender, as those of mail, WhatsApp and Telegram are.",
    }),
    type: z.string().min(1).max(255).optional(),
    name: z.string().min(1).max(255).optional(),
    bytes: z.int().min(0).optional(),
  })
  .refine(({ url, attachment_id: id }) => (url === undefined) !== (id === undefined), {
    message: "must have either url or attachment_id",
  });

const Text = z.string().min(1);

export const SandboxInbound = z
  .strictObject({
    channel: z.enum(channels).meta({ description: "How the message comes.", example: "sms" }),
    from: Text.max(512).meta({
      description:
        "Who writes, in any form that `to` of a send takes; in an e-mail a name may stand beside the address.",
      example: "+15551234567",
    }),
    to: Text.max(320).optional().meta({
      description: "Which of your addresses is written to; the sandbox has one for each channel.",
      example: "+15550109999",
    }),
    text: Text.max(100_000).optional(),
    html: Text.max(200_000).optional(),
    subject: Text.max(1_000).optional(),
    media: z.array(Media).min(1).max(maxMedia).optional(),
    provider_message_id: Text.max(255).optional().meta({
      description:
        "What the provider calls it. Posted again it is the same message; left out, it is a new one.",
      example: "SM-1001",
    }),
    profile_name: Text.max(255)
      .optional()
      .meta({ description: "What the person calls itself there.", example: "Ada" }),
    kind: z.enum(["message", "reaction", "edit"]).optional().meta({
      description: "A reaction and an edit are no messages: they open nothing.",
      example: "message",
    }),
    about: Text.max(255).optional().meta({
      description: "The provider's id of the message that a reaction or an edit is about.",
      example: "SM-1000",
    }),
    in_reply_to: Text.max(998).optional().meta({
      description:
        "The header In-Reply-To of an e-mail: the Message-ID of the one that it answers.",
      example: "<first@mail.example>",
    }),
    references: Text.max(20_000).optional().meta({
      description: "The header References of an e-mail: every Message-ID of its thread so far.",
      example: "<first@mail.example> <second@mail.example>",
    }),
    automatic: z.boolean().optional().meta({
      description: "A machine wrote it, such as an out-of-office reply (RFC 3834).",
      example: false,
    }),
    unverified: z.boolean().optional().meta({
      description:
        "Nothing says that the e-mail is its sender's, as where somebody forges it: it is shown and marked, and its keyword is not acted on.",
      example: false,
    }),
  })
  .meta({
    id: "SandboxInbound",
    example: { channel: "sms", from: "+15551234567", text: "Where is my order?" },
  });
export type SandboxInbound = z.infer<typeof SandboxInbound>;

export const AcceptedInbound = z
  .object({
    message_id: z.string().meta({
      description: "The message's id, which its events have.",
      example: "msg_01HNQX2P8Y9R3T4V5W6Z7A8B9C",
    }),
  })
  .meta({ id: "AcceptedInbound" });

export const AssignSender = z
  .strictObject({
    gateway_id: z.string().max(64).meta({ description: "The gateway through which it comes." }),
    address: Text.max(320).meta({
      description: "The address that people write to.",
      example: "+15550109999",
    }),
    partner_id: z.string().max(64),
  })
  .meta({ id: "AssignSender" });

export const SenderView = z
  .object({
    gateway_id: z.string(),
    address: z.string().meta({ description: "In the form that is kept.", example: "+15550109999" }),
    partner_id: z.string(),
    assigned_at: z.string(),
  })
  .meta({ id: "Sender" });
