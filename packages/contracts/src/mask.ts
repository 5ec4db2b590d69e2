/**
 * Secrets of ours, whole or cut off: API keys, tokens of sessions and signing secrets. Twelve characters are a third of a key, which opens nothing, and more
 * than chance writes behind these beginnings.
 */
const secrets =
  /(ak_(?:live|test|admin)_[0-9A-Za-z]{4})[0-9A-Za-z]{8,}|(a[rs]_(?:live|test)_)[0-9A-Za-z]{12,}|(whsec_)[0-9A-Za-z+/_-]{12,}={0,2}/g;

/** The text with each secret of ours cut to what may be shown of it. Whoever writes down what came from outside, or what an error says, writes this. */
export const maskSecrets = (text: string): string =>
  text.replace(secrets, (_, key = "", token = "", signing = "") => `${key}${token}${signing}…`);

/** The same for a text in which something counts the letters: what may not be shown is as many stars. */
export const blankSecrets = (text: string): string =>
  text.replace(secrets, (secret, key = "", token = "", signing = "") =>
    `${key}${token}${signing}`.padEnd(secret.length, "*"),
  );

/** Whether there is a secret of ours in the text. */
export const hasSecret = (text: string): boolean => text.search(secrets) !== -1;
