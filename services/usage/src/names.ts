import type { Naming } from "./life.ts";

/** What is counted under a name of its own, per partner and day (UTC): more are more than a person compares, and each is a row in every hour. */
export const maxNames = { template: 100, tag: 200 } as const;
export type NameKind = keyof typeof maxNames;

/** Where those are counted that came when there were as many. A name that is spelled so is counted there too. */
export const otherNames = "(other)";

/** The names of one partner's day in the order in which they came: the first ones keep theirs. It only grows, so a message is found again under the names it was counted under. */
export type Book = Readonly<Record<NameKind, Set<string>>>;
export type NewName = {
  readonly partner: string;
  readonly day: number;
  readonly kind: NameKind;
  readonly name: string;
};

export const emptyBook = (): Book => ({ template: new Set(), tag: new Set() });
export const dayOf = (hour: number): number => Math.floor(hour / 24);
export const bookName = (partner: string, day: number): string => `${partner}\u001f${day}`;

/** Names by these books, each once; what is new in them is told. Every book that is needed must be there. */
export function namingBy(books: ReadonlyMap<string, Book>, added: (name: NewName) => void): Naming {
  return (partner, hour, { template, tags }) => {
    if (template === "" && tags.length === 0) return { template, tags };
    const day = dayOf(hour);
    const book = books.get(bookName(partner, day))!;
    const named = (kind: NameKind, name: string): string => {
      const known = book[kind];
      if (known.has(name)) return name;
      if (known.size >= maxNames[kind]) return otherNames;
      known.add(name);
      added({ partner, day, kind, name });
      return name;
    };
    return {
      template: template === "" ? "" : named("template", template),
      tags: [...new Set(tags.map((tag) => named("tag", tag)))],
    };
  };
}
