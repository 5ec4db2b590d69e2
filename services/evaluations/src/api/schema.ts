import { parseEmail } from "@heliograph/channels";
import { z } from "zod";
import { statuses } from "../evolve.ts";

/** More is an advertisement. */
const maxLinks = 2;

// What ends a line of a header or of a list, and what turns text around for whoever reads it beside other text.
// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const unfit = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

const isReadable = (text: string): boolean => text.isWellFormed() && /[\p{L}\p{N}]/u.test(text);

/** One line of text that a person reads. */
const line = (most: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(most)
    .refine((text) => !unfit.test(text), "has line breaks or control characters")
    .refine(isReadable, "has nothing to read");

const linksIn = (text: string): number => (text.match(/https?:\/\/|\bwww\./gi) ?? []).length;

/** Text of several lines. */
const prose = (most: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(most)
    .refine((text) => !unfit.test(text.replaceAll(/\r?\n|\t/g, " ")), "has control characters")
    .refine(isReadable, "has nothing to read");

const isWebsite = (text: string): boolean => {
  if (!/^https?:\/\/[^\s]+$/i.test(text) || !URL.canParse(text)) return false;
  const { username, password, hostname } = new URL(text);
  return username === "" && password === "" && hostname.includes(".");
};

/** What a page with a form sends beside what the visitor wrote. */
export const FormFields = z.strictObject({
  token: z.string().max(100).meta({
    description:
      "Of `GET /evaluations/form`, from 3 seconds to 2 hours after it. One makes one evaluation: the same again has the same answer.",
    example: "mb3k2x1a.1fJ8s0d9Qm2LxT4u.k3v9",
  }),
  left_empty: z.string().max(2_000).optional().meta({
    description:
      "What came in a field that people do not see. Anything but nothing is refused: show it, so that a person can clear it.",
    example: "",
  }),
});

export const RequestEvaluation = z
  .strictObject({
    company: line(200).meta({ description: "For whom you ask.", example: "Acme" }),
    name: line(200),
    email: z
      .string()
      .max(254)
      .refine((text) => parseEmail(text.trim()) !== undefined, "must be an e-mail address"),
    use_case: prose(2_000)
      .refine((text) => linksIn(text) <= maxLinks, `has more than ${maxLinks} links`)
      .meta({ description: "What you want to send, to whom. At most two links." }),
    website: z
      .string()
      .max(500)
      .refine((text) => !unfit.test(text) && isWebsite(text), "must be an https:// address")
      .optional()
      .meta({ description: "Of the company.", example: "https://acme.example" }),
    expected_volume: z
      .union([line(100), z.int().min(0).max(1_000_000_000_000)])
      .optional()
      .meta({ description: "Messages a month, in words or as a number." }),
    form: FormFields.optional().meta({
      description: "Of a request that comes from a form. A program that calls the API has none.",
    }),
  })
  .meta({ id: "RequestEvaluation" });

export const RequestedEvaluation = z
  .object({ id: z.string().meta({ example: "evl_01J9" }), status: z.literal("requested") })
  .meta({ id: "RequestedEvaluation" });

export const FormView = z
  .object({
    token: z.string().meta({
      description: "For a hidden field; send it as `form.token`.",
      example: "mb3k2x1a.1fJ8s0d9Qm2LxT4u.k3v9",
    }),
    usable_at: z.string().meta({ description: "Nobody fills it in faster. RFC 3339, UTC." }),
    expires_at: z.string().meta({ description: "After that, render the form again." }),
  })
  .meta({ id: "EvaluationForm" });

const Contact = z
  .object({ name: z.string(), email: z.string(), agent_id: z.string().nullable() })
  .meta({ id: "EvaluationContact" });
export const EvaluationView = z
  .object({
    id: z.string(),
    status: z.enum(statuses),
    company: z.string().meta({ description: "For whom the visitor asks.", example: "Acme" }),
    name: z.string(),
    email: z.string(),
    use_case: z.string().meta({
      description: "What the visitor wants to send, as written.",
      example: "Order confirmations by SMS",
    }),
    website: z
      .string()
      .nullable()
      .meta({ description: "Of the company.", example: "https://acme.example" }),
    expected_volume: z
      .string()
      .nullable()
      .meta({ description: "Messages a month, as the visitor said.", example: "50000" }),
    partner_id: z.string().nullable().meta({ description: "The tenant, once it is there." }),
    contact: Contact.nullable(),
    slack_invite_url: z.string().nullable().meta({
      description: "The invitation to a private channel that the visitor was sent.",
      example: "https://join.slack.com/share/enQtNTI",
    }),
    requested_at: z.string(),
    promised_by: z
      .string()
      .meta({ description: "One business day after the request: until then a person answers." }),
    provisioned_at: z
      .string()
      .nullable()
      .meta({ description: "When the tenant was there, RFC 3339, UTC." }),
    key_shown_at: z
      .string()
      .nullable()
      .meta({ description: "When the visitor fetched the sandbox key, the last time." }),
    assigned_at: z.string().nullable(),
    contacted_at: z
      .string()
      .nullable()
      .meta({ description: "When a person took it, RFC 3339, UTC." }),
    converted_at: z
      .string()
      .nullable()
      .meta({ description: "When the visitor became a customer, RFC 3339, UTC." }),
    closed_at: z.string().nullable(),
    close_reason: z
      .string()
      .nullable()
      .meta({ description: "Why it was closed, as the team wrote.", example: "no answer" }),
    duplicate_of: z
      .string()
      .nullable()
      .meta({ description: "The evaluation that the same person had already." }),
    erased_at: z.string().nullable().meta({
      description:
        "When the visitor's data was erased, RFC 3339, UTC: `name`, `email`, `use_case`, `close_reason` and notes read `[erased]`.",
    }),
  })
  .meta({ id: "Evaluation" });

export const EvaluationWithNotes = EvaluationView.extend({
  notes: z
    .array(
      z.object({
        text: z.string(),
        by: z.string().meta({ description: "A key or an agent." }),
        at: z.string(),
      }),
    )
    .meta({ description: "What the team wrote, oldest first." }),
}).meta({ id: "EvaluationWithNotes" });

/** The address of an invitation is Slack's: the mail that names it comes from us. */
export const SlackInvite = z
  .string()
  .max(500)
  .refine((text) => {
    if (unfit.test(text) || !URL.canParse(text)) return false;
    const { protocol, hostname, username, password, port } = new URL(text);
    return (
      protocol === "https:" &&
      /^(?:[a-z0-9-]+\.)+slack\.com$/.test(hostname) &&
      username === "" &&
      password === "" &&
      port === ""
    );
  }, "must be an https:// address of slack.com")
  .meta({
    description: "An invitation to a private channel of Slack for the visitor and you.",
    example: "https://join.slack.com/share/enQtNTI",
  });

export const ContactInput = z.string().min(3).max(400).meta({
  description: "An operator's agent (`agt_…`), or an address with or without a name.",
  example: "Ann <ann@example.org>",
});
export const AssignEvaluation = z
  .strictObject({ contact: ContactInput, slack_invite_url: SlackInvite.optional() })
  .meta({ id: "AssignEvaluation" });
export const ErasedEvaluation = z
  .object({
    id: z.string(),
    status: z.literal("closed"),
    erased_at: z.string().meta({
      description: "When it was erased; the same for every repetition. RFC 3339, UTC.",
      example: "2026-05-23T14:22:17.042Z",
    }),
  })
  .meta({ id: "ErasedEvaluation" });
export const NoteEvaluation = z.strictObject({ text: prose(5_000) }).meta({ id: "NoteEvaluation" });
export const CloseEvaluation = z
  .strictObject({ reason: prose(500).optional() })
  .meta({ id: "CloseEvaluation" });

export const SetRota = z
  .strictObject({ contacts: z.array(ContactInput).max(50) })
  .meta({ id: "SetEvaluationRota" });
export const RotaView = z
  .object({
    contacts: z.array(Contact),
    set_at: z
      .string()
      .nullable()
      .meta({ description: "When the rota was set, RFC 3339, UTC; null: never." }),
  })
  .meta({ id: "EvaluationRota" });

export const ReportView = z
  .object({
    from: z.string(),
    to: z.string(),
    requests: z.int(),
    kept: z.int().meta({ description: "A person answered in time." }),
    broken: z.int().meta({ description: "Later, or not yet although the time is over." }),
    open: z.int().meta({ description: "Nobody answered yet, and there is time." }),
    closed_unanswered: z.int().meta({ description: "Closed in time without an answer." }),
    untold: z.int().meta({
      description:
        "Messages for the team's Slack that were due, of whatever time, and are not taken yet; 0 without `HELIOGRAPH_SLACK_WEBHOOK_URL`.",
    }),
    untold_since: z
      .string()
      .nullable()
      .meta({ description: "When the oldest of them was due, RFC 3339, UTC." }),
    kept_share: z
      .number()
      .nullable()
      .meta({ description: "Kept, of those kept and broken, rounded to four digits." }),
  })
  .meta({ id: "EvaluationReport" });
