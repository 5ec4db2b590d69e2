import { type Channel, type FieldError, PublicError } from "@heliograph/contracts";
import { type TemplateBody, type TemplateVersion, checkTemplate } from "@heliograph/domain";

const fields = ["text", "subject", "html"] as const;
const placeholder = /\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}/g;

/** What of a body a channel cannot carry, or misses. */
function bodyErrors(channel: Channel, path: string, body: TemplateBody): readonly FieldError[] {
  if (channel === "email")
    return body.subject === undefined
      ? [{ path: `${path}.subject`, code: "required", message: "an e-mail needs a subject" }]
      : [];
  const errors: FieldError[] = [];
  for (const field of ["subject", "html"] as const)
    if (body[field] !== undefined)
      errors.push({
        path: `${path}.${field}`,
        code: "not_allowed",
        message: `a ${channel} message has none`,
      });
  if (body.text === undefined && body.html !== undefined)
    errors.push({ path: `${path}.text`, code: "required", message: "needs a text" });
  return errors;
}

/** A `{{` that opens no placeholder is a mistake: the recipient would read it. */
function strayBraces(path: string, body: TemplateBody): readonly FieldError[] {
  return fields
    .filter((field) => body[field]?.replaceAll(placeholder, "").includes("{{"))
    .map((field) => ({
      path: `${path}.${field}`,
      code: "invalid_placeholder",
      message: "a placeholder is {{name}}: a letter or _, then letters, digits and _",
    }));
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
