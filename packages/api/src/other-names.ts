import { z } from "zod";
import type { Route } from "./route.ts";

/** When the other names were announced as such: the first release that has a `Deprecation` header. */
const deprecatedAt = Date.UTC(2026, 11, 1) / 1_000;
const page = "/docs/reference/versioning";

/** A parameter that is the same as the one of another name. It goes on working; whoever gives it is told of the other (RFC 9745). */
export const anotherName = <Schema extends z.ZodType>(schema: Schema, of: string) =>
  schema.optional().meta({ description: `Another name of \`${of}\`.`, deprecated: true });

const known = new WeakMap<Route, readonly string[]>();

/** The parameters of a route's query that are other names. */
export function otherNames(route: Route): readonly string[] {
  let names = known.get(route);
  if (names === undefined) {
    const shape = route.query instanceof z.ZodObject ? route.query.shape : {};
    names = Object.entries(shape)
      .filter(([, field]) => (field as z.ZodType).meta()?.deprecated === true)
      .map(([name]) => name);
    known.set(route, names);
  }
  return names;
}

/** Headers of the answer to a call that gives a parameter by a name that is not its own. Not `Sunset` (RFC 8594): no end is set. */
export function deprecationHeaders(
  route: Route,
  query: Readonly<Record<string, unknown>>,
  origin: () => string,
): readonly string[] {
  if (!otherNames(route).some((name) => Object.hasOwn(query, name))) return [];
  const link = `<${origin()}${page}>; rel="deprecation"; type="text/html"`;
  return ["Deprecation", `@${deprecatedAt}`, "Link", link];
}
