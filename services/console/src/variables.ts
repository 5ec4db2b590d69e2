import { Refused } from "./client.ts";
import type { Api } from "./platform-session.ts";
import type { Template, Variables } from "./shapes.ts";

/** Undefined where there is none: it may be of another channel, which the send itself will say. */
export async function findTemplate(
  api: Pick<Api, "get">,
  slug: string,
  channel: string,
): Promise<Template | undefined> {
  if (slug === "") return undefined;
  try {
    return await api.get<Template>(`/templates/${encodeURIComponent(slug)}`, { channel });
  } catch (error) {
    if (error instanceof Refused && error.problem.status < 500) return undefined;
    throw error;
  }
}

/** As a number is written in JSON: one with a comma is for its writer to mend. */
const number = /^-?\d{1,15}(?:\.\d{1,15})?$/;

/**
 * Variables of a form or a file, which knows texts alone, by the types that their template declares. What is no value of its type stays as it was written, so that the refusal names it; a number or a
 * choice that is left empty is left out.
 */
export function typedVariables(
  given: Readonly<Record<string, string>>,
  declared: Variables | undefined,
): Readonly<Record<string, string | number | boolean>> {
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, text]): [string, string | number | boolean][] => {
      const type =
        declared !== undefined && Object.hasOwn(declared, name) ? declared[name]!.type : "string";
      const word = text.trim().toLowerCase();
      if (type === "string") return [[name, text]];
      if (word === "") return [];
      if (type === "number") return [[name, number.test(word) ? Number(word) : text]];
      return [[name, word === "true" ? true : word === "false" ? false : text]];
    }),
  );
}

type Message = Readonly<Record<string, unknown>>;

/** The same for many messages; each template is asked for once. */
export async function withTypedVariables(
  api: Pick<Api, "get">,
  messages: readonly Message[],
): Promise<readonly Message[]> {
  const found = new Map<string, Promise<Template | undefined>>();
  const templateOf = (slug: string, channel: string): Promise<Template | undefined> => {
    const name = `${channel} ${slug}`;
    const template = found.get(name) ?? findTemplate(api, slug, channel);
    found.set(name, template);
    return template;
  };
  return Promise.all(
    messages.map(async (message) => {
      const { template, channel, variables } = message as Record<string, string> & {
        readonly variables?: Readonly<Record<string, string>>;
      };
      if (variables === undefined || template === undefined || channel === undefined)
        return message;
      const declared = (await templateOf(template, channel))?.variables;
      return { ...message, variables: typedVariables(variables, declared) };
    }),
  );
}
