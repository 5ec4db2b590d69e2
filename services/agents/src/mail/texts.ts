import type { Mail } from "@heliograph/platform";

// Lines stay short: a longer one is folded on its way (RFC 2045 §6.7), and a token that somebody copies out of the raw text would have a hole.

type Facts = {
  readonly to: string;
  readonly partner: string;
  readonly token: string;
  /** Where the API is. */
  readonly origin: string;
};

/** What somebody gets who was made an agent. */
export const invitation = ({ to, partner, token, origin }: Facts): Mail => ({
  to,
  subject: `You are invited to answer for ${partner}`,
  text: `${partner}
has made you an agent on Heliograph at
${origin}

Choose a password in your app with this token, or send both to
${origin}/api/v1/invitations/accept

Token: ${token}

It works once, within seven days.
If you do not know who invites you, do nothing.
`,
});

/** What somebody gets who has asked for another password. */
export const passwordReset = ({ to, token, origin }: Omit<Facts, "partner">): Mail => ({
  to,
  subject: "Another password for Heliograph",
  text: `Somebody, perhaps you, has asked for another password
for this address on Heliograph at
${origin}

Choose one in your app with this token, or send both to
${origin}/api/v1/password-resets/confirm

Token: ${token}

It works once, within an hour. If it was not you, do nothing:
your password stays as it is.
`,
});
