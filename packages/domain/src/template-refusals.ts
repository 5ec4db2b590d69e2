import { PublicError } from "@heliograph/contracts";
import type { Rendered } from "./templates.ts";

/** What a send and a preview that name an absent template or version are told. `path` is the field of the request that names it. */
export const templateMissing = (
  { slug, channel, version }: { slug: string; channel: string; version?: number | undefined },
  path: string,
): PublicError =>
  notFound(
    path,
    `There is no template ${slug}${version === undefined ? "" : ` version ${version}`} on ${channel}.`,
  );

/** What a send and a preview are told when the template cannot be filled as they ask. */
export function templateRefusal(
  slug: string,
  refused: Exclude<Rendered, { kind: "rendered" }>,
): PublicError {
  if (refused.kind === "language_missing")
    return notFound(
      "language",
      `The template ${slug} has no language ${refused.language}; it has ${refused.available.join(", ")}.`,
    );
  return new PublicError(
    "template_variables_invalid",
    refused.errors.map((error) => error.message).join("; "),
    { errors: refused.errors },
  );
}

const notFound = (path: string, detail: string): PublicError =>
  new PublicError("template_not_found", detail, {
    errors: [{ path, code: "template_not_found", message: detail }],
  });
