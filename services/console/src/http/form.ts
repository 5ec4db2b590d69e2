import type { Request } from "express";

/** A template's text, its variables and what stands around it. */
const maxFormBytes = 256 * 1024;

/** Fields of a form, each once; of one that is there twice the last counts. */
export type Form = {
  /** Without blanks around it; empty where there is none. */
  text(name: string): string;
  /** As it was written. */
  exact(name: string): string;
  /** `variables[name]` for `variables`: the names that were filled in. */
  map(name: string): Readonly<Record<string, string>>;
  has(name: string): boolean;
};

export const formOf = (given: URLSearchParams): Form => {
  const fields = new Map(given);
  return {
    text: (name) => fields.get(name)?.trim() ?? "",
    exact: (name) => fields.get(name) ?? "",
    has: (name) => fields.has(name),
    map: (name) =>
      Object.fromEntries(
        [...fields].flatMap(([field, value]) =>
          field.startsWith(`${name}[`) && field.endsWith("]") && value !== ""
            ? [[field.slice(name.length + 1, -1), value]]
            : [],
        ),
      ),
  };
};

/** Reads a posted form; undefined when it is none, or larger than any form here. */
export async function readForm(request: Request): Promise<Form | undefined> {
  if (!/^application\/x-www-form-urlencoded\b/i.test(request.headers["content-type"] ?? ""))
    return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxFormBytes) return undefined;
    chunks.push(chunk);
  }
  // A browser sends line ends as CR LF (HTML, form submission); what we send on has LF.
  const text = Buffer.concat(chunks).toString("utf8").replaceAll("%0D%0A", "%0A");
  return formOf(new URLSearchParams(text));
}
