import type { Contact } from "../evolve.ts";
import type { NoticeKind } from "../store.ts";

/** An evaluation as the team is told of it: opened, and as the visitor wrote it. */
export type Told = {
  readonly kind: NoticeKind;
  readonly company: string;
  readonly name: string;
  readonly email: string;
  readonly use_case: string;
  readonly website: string | undefined;
  readonly expected_volume: string | undefined;
  readonly contact: Contact | undefined;
  readonly promised_by: string;
  /** Where the evaluation is taken. */
  readonly link: string;
};

export type SlackMessage = {
  readonly text: string;
  readonly blocks: readonly object[];
  readonly unfurl_links: false;
  readonly unfurl_media: false;
};

/** Slack reads `<!channel>` and `<https://…|label>` in `text` and `mrkdwn`: `&` first, or the others would be escaped twice. */
export const escapeText = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** The target of a link ends at `|` or `>`. */
export const linkTarget = (url: string): string =>
  escapeText(url.replaceAll("|", "%7C").replaceAll("<", "%3C").replaceAll(">", "%3E"));

const headlines = {
  requested: "New request for an evaluation",
  half: "An evaluation still waits for a person: half of the time is gone",
  last_hour: "An evaluation still waits for a person: an hour is left",
} as const satisfies Record<NoticeKind, string>;

/** The message of an incoming webhook. What the visitor wrote stands in `plain_text`, which means nothing but itself; no field of a request is longer than a block takes (3,000 characters, 2,000 in a list of fields). */
export function slackMessage(told: Told): SlackMessage {
  const headline = headlines[told.kind];
  const contact = told.contact === undefined ? "nobody yet" : told.contact.name;
  const plain = (text: string): object => ({
    type: "plain_text",
    text,
    emoji: false,
  });
  const fields = [
    `Company\n${told.company}`,
    `From\n${told.name}, ${told.email}`,
    ...(told.expected_volume === undefined ? [] : [`Volume\n${told.expected_volume}`]),
    `Contact\n${contact}`,
    `Answer by\n${told.promised_by}`,
  ];
  const website = told.website === undefined ? [] : [websiteBlock(told.website)];
  return {
    text: [
      headline,
      `Company: ${escapeText(told.company)}`,
      `Use case: ${escapeText(told.use_case)}`,
      `Contact: ${escapeText(contact)}`,
      `Take it: ${linkTarget(told.link)}`,
    ].join("\n"),
    blocks: [
      { type: "header", text: plain(headline) },
      { type: "section", fields: fields.map((text) => plain(text)) },
      { type: "section", text: plain(told.use_case) },
      ...website,
      {
        type: "actions",
        elements: [{ type: "button", text: plain("Take it"), url: told.link, action_id: "take" }],
      },
    ],
    unfurl_links: false,
    unfurl_media: false,
  };
}

const websiteBlock = (url: string): object => ({
  type: "section",
  text: { type: "mrkdwn", text: `<${linkTarget(url)}|Website>` },
});
