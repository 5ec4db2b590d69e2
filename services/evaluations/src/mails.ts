import type { Mail } from "@heliograph/platform";
import type { Contact } from "./evolve.ts";

// Nothing that a visitor wrote stands in a mail: whoever fills in a form with somebody else's address would have us send them their words.

type Facts = {
  readonly to: string;
  /** Where the key is fetched. */
  readonly link: string;
  /** Where the API is. */
  readonly origin: string;
};

const signature = `
If it was not you who asked, do nothing: nothing happens
without this link.
`;

/** What a visitor gets when the tenant is there. */
export const welcome = (facts: Facts & { readonly contact: Contact | undefined }): Mail => ({
  to: facts.to,
  subject: "Your Heliograph sandbox is ready",
  text: `Your sandbox is there, with funds to try everything.

Fetch its key here; the page shows it once:
${facts.link}

The link works once, within seven days. The API is at
${facts.origin}/api/v1
${facts.contact === undefined ? "" : `\nYour technical contact is ${facts.contact.name}\n<${facts.contact.email}>.\n`}
A person answers you within one business day.
${signature}`,
});

/** What somebody gets who has asked before. */
export const again = ({ to, link }: Facts): Mail => ({
  to,
  subject: "Your Heliograph sandbox is there already",
  text: `You have asked for a sandbox before, and it is still yours.

Should you need another key for it, fetch it here; the page
shows it once:
${link}

The link works once, within seven days. Keys that you have
keep working.
${signature}`,
});

/** What a visitor gets when a person has taken the evaluation. */
export const introduction = (
  to: string,
  contact: Contact,
  slackInviteUrl: string | undefined,
): Mail => ({
  to,
  subject: "Your technical contact at Heliograph",
  text: `Your technical contact is ${contact.name}
<${contact.email}>.
${
  slackInviteUrl === undefined
    ? ""
    : `
There is a private Slack channel for you and us:
${slackInviteUrl}
`
}
Ask whatever you need to try the platform.
`,
});
