import { parseEmail, type Email } from "@heliograph/channels";

const scheme = "mailto:";

/** Where a stored mail says to whom it was delivered: the envelope has it, and its headers need not. */
export const deliveredUrl = (address: string): string => `${scheme}${address}`;

/** Undefined for what came in another way than by mail. */
export const deliveredTo = (url: string): Email | undefined =>
  url.startsWith(scheme) ? parseEmail(url.slice(scheme.length)) : undefined;
