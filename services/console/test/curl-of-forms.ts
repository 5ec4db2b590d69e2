import { Router } from "@heliograph/api";
import { openapiDocument } from "@heliograph/ingress";

const routes = new Router<true>();
const { paths } = openapiDocument() as { readonly paths: Readonly<Record<string, object>> };
for (const [path, methods] of Object.entries(paths))
  for (const method of Object.keys(methods))
    routes.add(method.toUpperCase(), path.replaceAll(/\{(\w+)\}/g, ":$1"), true);

const found = (text: string, pattern: RegExp): readonly string[] =>
  [...text.matchAll(pattern)].map(([, one]) => one!.trim());

/** Buttons that fill a form in anew and change nothing. */
const asking = /^(?:Show its variables|Preview and cost|See what changes|Look at it)$/;

/** The calls of a page, by what they do; one that stands alone or right behind its form needs no name. */
type Calls = {
  readonly text: string;
  readonly names: readonly string[];
  readonly changing: number;
};

const callsOf = (text: string): Calls => ({
  text,
  names: found(text, /<p class="does">([^<]*)/g),
  changing: found(text, /<code>(curl -X)/g).length,
});

const formFault = (form: string, all: number, { names, changing }: Calls): string | undefined => {
  const [own = "", behind = ""] = form.split("</form>");
  const buttons = found(own, /<button[^>]*>([^<]*)/g).filter((label) => !asking.test(label));
  const isBeside = /^\s*<details class="curl"/.test(behind);
  if (isBeside || (names.length === 0 && all === 1 && changing === 1)) return undefined;
  const untold = buttons.filter((label) => !names.includes(label));
  return untold.length > 0 ? `no curl does what "${untold.join(", ")}" does` : undefined;
};

/** Where a form of a page has no call that does the same, and where such a call is none of the platform. */
export function curlFaults(page: string): readonly string[] {
  const main = page.slice(page.indexOf("<main"), page.indexOf("</main>"));
  const forms = main.split("<form").filter((form) => /^[^>]*method="post"/.test(form));
  const kinds = new Set(forms.map((form) => /action="([^"?]*)/.exec(form)?.[1]));
  const calls = callsOf(main);
  const unknown = [
    ...main.matchAll(/<code>curl (?:-X (\w+) )?&#39;https?:\/\/[^/]+([^?&]*)/g),
  ].flatMap(([, method = "GET", path]) =>
    routes.match(method, path!).kind === "found" ? [] : [`the platform has no ${method} ${path}`],
  );
  return [...unknown, ...forms.flatMap((form) => formFault(form, kinds.size, calls) ?? [])];
}
