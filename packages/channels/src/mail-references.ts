import { parseMailId } from "./email-address.ts";

/**
 * A thread of years grows without an end, and every mail of it is stored with its chain: mail programs find the thread by its first id and the place in it by the latest, so those are
 * kept. Twenty ids of ordinary length (70 characters) are 1,400.
 */
const maxReferences = 20;
const maxCharacters = 2_000;
/** No mail program makes longer ones. */
const maxIdCharacters = 250;

/**
 * The Message-IDs that a mail refers to, oldest first, from its headers `References` and `In-Reply-To`. The second counts where the first is missing and it names one mail alone
 * (RFC 5322 §3.6.4). Takes headers as they came, folded anywhere.
 */
export function mailReferences(headers: {
  readonly references?: string | undefined;
  readonly inReplyTo?: string | undefined;
}): readonly string[] {
  const listed = idsIn(headers.references);
  if (listed.length > 0) return bounded(listed);
  const answered = idsIn(headers.inReplyTo);
  return answered.length === 1 ? answered : [];
}

const idsIn = (header = ""): readonly string[] => [
  ...new Set(
    [...header.matchAll(/<[^<>]*>/g)]
      .flatMap(([text]) => parseMailId(text) ?? [])
      .filter(({ length }) => length <= maxIdCharacters),
  ),
];

function bounded([first, ...later]: readonly string[]): readonly string[] {
  if (first === undefined) return [];
  const latest: string[] = [];
  let characters = first.length;
  for (const id of later.toReversed()) {
    characters += id.length;
    if (latest.length === maxReferences - 1 || characters > maxCharacters) break;
    latest.push(id);
  }
  return [first, ...latest.toReversed()];
}
