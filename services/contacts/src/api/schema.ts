import { z } from "zod";

export const ExternalIdView = z
  .object({ source: z.string(), id: z.string(), added_at: z.string() })
  .meta({ id: "ExternalId" });

export const ContactView = z
  .object({
    id: z.string(),
    external_ids: z.array(ExternalIdView),
    name: z.string().nullable(),
    language: z.string().nullable(),
    time_zone: z.string().nullable(),
    attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    tags: z.array(z.string()),
    client_ref: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({ id: "Contact" });

export const MergedContactView = z
  .object({ id: z.string(), merged_into: z.string() })
  .meta({ id: "MergedContact" });

export const MergeContact = z
  .strictObject({ into: z.string().max(64), dry_run: z.boolean().optional() })
  .meta({ id: "MergeContact" });
export const MergeView = z
  .object({
    merge_id: z.string().nullable(),
    contact: ContactView,
    moved: z.object({ external_ids: z.int(), conversations: z.int(), messages: z.int() }),
  })
  .meta({ id: "ContactMerge" });

export const UnmergeContact = z
  .strictObject({ merge_id: z.string().max(64) })
  .meta({ id: "UnmergeContact" });
export const UnmergedView = z
  .object({ contacts: z.array(ContactView) })
  .meta({ id: "UnmergedContacts" });

export const LastingMerge = z
  .object({
    merge_id: z.string().meta({ description: "What `POST /contacts/{id}/unmerge` takes." }),
    contact_id: z.string().meta({ description: "Who was merged into this contact." }),
    merged_at: z.string().meta({ description: "When, in RFC 3339." }),
  })
  .meta({ id: "LastingMerge" });
