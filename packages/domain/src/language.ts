/**
 * The one form of a language tag (RFC 5646 2.1.1: case has no meaning): the language in lower case, a script like `Hant`, a region like
 * `BR`, joined by hyphens also where WhatsApp writes an underscore.
 */
export function canonicalLanguage(tag: string): string {
  const [language, ...rest] = tag.toLowerCase().split(/[-_]/);
  return [
    language,
    ...rest.map((part) =>
      part.length === 2
        ? part.toUpperCase()
        : part.length === 4 && /^[a-z]/.test(part)
          ? part[0]!.toUpperCase() + part.slice(1)
          : part,
    ),
  ].join("-");
}
