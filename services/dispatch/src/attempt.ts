import { attachmentLink, type LinkMaker } from "@heliograph/api";
import { attemptIdOf, type Attempt } from "@heliograph/gateways";
import type { ServiceContext } from "@heliograph/runtime";
import type { Task } from "./job.ts";

/** What the gateway is asked to carry. Links to attachments are made for each attempt: one that waited for hours gets new ones. */
export function attemptOf(
  task: Pick<Task, "messageId" | "attempt" | "opened"> & {
    readonly state: Pick<Task["state"], "request" | "requestEvent" | "putOff">;
  },
  gateway: string,
  links: LinkMaker,
  nowMs: number,
): Attempt {
  const { request, requestEvent, putOff } = task.state;
  const firstPutOff = putOff.get(gateway);
  const validForSeconds = Math.floor((Date.parse(request.expires_at) - nowMs) / 1000);
  const {
    to,
    content: { media, ...content },
  } = task.opened ?? request;
  return {
    attemptId: attemptIdOf(task.messageId, task.attempt),
    messageId: task.messageId,
    attempt: task.attempt,
    ...(firstPutOff !== undefined && { firstPutOff }),
    channel: request.channel,
    to,
    ...(request.from !== undefined && { from: request.from }),
    ...(request.reply_to !== undefined && { replyTo: request.reply_to }),
    ...(request.unsubscribe_url !== undefined && { unsubscribeUrl: request.unsubscribe_url }),
    ...(request.in_reply_to !== undefined && { inReplyTo: request.in_reply_to }),
    ...(request.references !== undefined && { references: request.references }),
    category: request.category,
    content,
    ...(request.segments.national !== undefined && { national: request.segments.national }),
    ...(media !== undefined && {
      media: media.map(({ attachment_id: id, url = "", ...about }) => ({
        ...about,
        url: id === undefined ? url : attachmentLink(links, id, nowMs),
        ...(id !== undefined && { attachmentId: id }),
      })),
    }),
    ...(request.keyword !== undefined && { automatic: true }),
    ...(validForSeconds > 0 && { validForSeconds }),
    partner: requestEvent.metadata.partner ?? "",
    ...(requestEvent.metadata.traceparent !== undefined && {
      traceparent: requestEvent.metadata.traceparent,
    }),
  };
}

/** What links to attachments are made of. A provider of this machine's own reaches it without a public address; any other needs one. */
export const linksOf = ({
  masterKey,
  environment,
  settings,
}: Pick<ServiceContext, "masterKey" | "environment" | "settings">): LinkMaker => ({
  masterKey,
  environment,
  origin: settings.publicUrl ?? `http://localhost:${settings.port}`,
});
