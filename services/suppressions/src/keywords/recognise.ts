import type { Channel } from "@heliograph/contracts";
import { unsubscribeSubject } from "@heliograph/gateways";
import { words, type Keyword } from "./words.ts";

/** A keyword and the language whose word it was. */
export type Recognised = { readonly keyword: Keyword; readonly language: string };

/** No keyword is longer, and a long message is none: it is not looked at closer. */
const maxCharacters = 200;

/** What people put around a word: blanks, punctuation, quotes, emoji. */
const around = /^[\p{P}\p{S}\p{Z}\p{C}\uFE0F]+|[\p{P}\p{S}\p{Z}\p{C}\uFE0F]+$/gu;
/** Accents of Latin, Greek and Cyrillic letters, points of Hebrew and Arabic ones. Vowel signs of other scripts are letters to their readers. */
const accents = /\u0640|[\u0300-\u036f]|[\u0591-\u05c7]|[\u064b-\u065f]|\u0670/g;

const plain = (text: string): string =>
  text
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(around, "")
    .replaceAll(/[\s\p{Pd}]+/gu, " ");
/** İ and I are one letter here, as ı and i are. */
const unaccented = (text: string): string =>
  text.normalize("NFD").replaceAll(accents, "").replaceAll("ı", "i").normalize("NFC");

const exact = new Map<string, Recognised>();
const loose = new Map<string, Recognised>();
for (const [language, { exact: only = [], ...lists }] of Object.entries(words))
  for (const keyword of ["stop", "start", "help"] as const)
    for (const word of lists[keyword]) {
      const found = { keyword, language };
      if (only.includes(word)) exact.set(plain(word), found);
      else if (!loose.has(unaccented(plain(word)))) loose.set(unaccented(plain(word)), found);
    }

/**
 * The keyword that a text is: the whole of it, however it is cased, accented and surrounded. A keyword in prose, or beside a number, is none. Undefined for every other text.
 */
export function recognise(text: string): Recognised | undefined {
  if (text.length > maxCharacters) return undefined;
  const word = plain(text);
  return exact.get(word) ?? loose.get(unaccented(word));
}

/** A mail's own words: above what it quotes and its signature (RFC 3676 §4.3). */
function ownWords(text: string): string {
  const lines = text.split(/\r?\n/);
  const end = lines.findIndex((line) => line.startsWith(">") || line === "-- " || line === "--");
  if (end < 0) return text;
  const own = lines.slice(0, end);
  // "On Monday Ada wrote:" belongs to the quote.
  while (own.length > 0 && (own.at(-1)!.trim() === "" || own.at(-1)!.trimEnd().endsWith(":")))
    own.pop();
  return own.join("\n");
}

/**
 * What a message from a person asks for. A mail without a text has its subject. That of the `mailto:` by which a mail is unsubscribed from decides where no keyword stands below it, since mail
 * programs write a sentence of their own there.
 */
export function keywordOf(message: {
  readonly channel: Channel;
  readonly text?: string | undefined;
  readonly subject?: string | undefined;
}): Recognised | undefined {
  const { channel, text = "", subject = "" } = message;
  if (channel !== "email") return recognise(text);
  const found = recognise(text.trim() === "" ? subject : ownWords(text));
  const isClick = subject.trim().toLowerCase() === unsubscribeSubject;
  return found ?? (isClick ? recognise(subject) : undefined);
}
