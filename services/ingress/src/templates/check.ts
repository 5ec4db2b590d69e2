import { shapeFaults } from "@heliograph/channels";
import { type Channel, type FieldError, PublicError } from "@heliograph/contracts";
import {
  type TemplateBody,
  type TemplateVersion,
  canonicalLanguage,
  checkTemplate,
} from "@heliograph/domain";

const fields = ["text", "subject", "html"] as const;
const placeholder = /\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}/g;

/** What of a body a channel cannot carry, or misses. A body with neither text nor html is named as a whole already. */
const bodyErrors = (channel: Channel, path: string, body: TemplateBody): readonly FieldError[] =>
  shapeFaults(channel, body)
    .filter(
      (fault) => fault.path === "subject" || body.text !== undefined || body.html !== undefined,
    )
    .map((fault) => ({ ...fault, path: `${path}.${fault.path}` }));

/**
 * A `{{` that opens no placeholder is a mistake: the recipient would read it. So is the third brace of `{{{name}}}`, which other engines have
 * for values that are not escaped.
 */
function strayBraces(path: string, body: TemplateBody): readonly FieldError[] {
  const filled = "\u0000";
  return fields
    .filter((field) => {
      const rest = body[field]?.replaceAll(placeholder, filled) ?? "";
      return rest.includes("{{") || rest.includes(`{${filled}`);
    })
    .map((field) => ({
      path: `${path}.${field}`,
      code: "invalid_placeholder",
      message: "a placeholder is {{name}}: a letter or _, then letters, digits and _",
    }));
}

/** The bodies by the one form of their languages. Throws `invalid_request` when two are the same language. */
export function canonicalLanguages(
  languages: Readonly<Record<string, TemplateBody>>,
): Record<string, TemplateBody> {
  const bodies: Record<string, TemplateBody> = {};
  for (const [written, body] of Object.entries(languages)) {
    const language = canonicalLanguage(written);
    if (Object.hasOwn(bodies, language)) {
      const message = `${language} is there twice`;
      throw new PublicError("invalid_request", `The template is not valid: ${message}`, {
        errors: [{ path: `languages.${written}`, code: "duplicate", message }],
      });
    }
    bodies[language] = body;
  }
  return bodies;
}

/** Placeholders and variables must name each other, and every body must fit its channel. Throws `invalid_request` with all faults. */
export function requireSound(channel: Channel, version: TemplateVersion): void {
  const errors: FieldError[] = [...checkTemplate(version)];
  const used = new Set<string>();
  for (const [language, body] of Object.entries(version.languages)) {
    const path = `languages.${language}`;
    errors.push(...bodyErrors(channel, path, body), ...strayBraces(path, body));
    for (const field of fields)
      for (const [, name] of body[field]?.matchAll(placeholder) ?? []) used.add(name!);
  }
  for (const name of Object.keys(version.variables))
    if (!used.has(name))
      errors.push({
        path: `variables.${name}`,
        code: "unused",
        message: `no body holds {{${name}}}`,
      });
  if (errors.length === 0) return;
  const { path, message } = errors[0]!;
  throw new PublicError("invalid_request", `The template is not valid: ${path}: ${message}`, {
    errors: errors.slice(0, 50),
  });
}
