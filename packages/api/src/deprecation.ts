import { z } from "zod";

const page = "/docs/reference/versioning";
const dayMs = 86_400_000;
/** Whoever calls every day has a year to see it. */
const leastNoticeMs = 365 * dayMs;

/** That something is to go. */
export type Deprecation = {
  /** When it was announced: the day of the first release that tells of it. */
  readonly since: Date;
  /** When it ends; left out, no end is set, and it goes on. */
  readonly until?: Date;
};

/** The one way to announce that a route is to go. Days are `2026-12-01`, in UTC. Throws for an end that comes too soon. */
export function deprecation(since: string, until?: string): Deprecation {
  const announced = {
    since: new Date(since),
    ...(until !== undefined && { until: new Date(until) }),
  };
  const noticeMs = (announced.until?.getTime() ?? Infinity) - announced.since.getTime();
  if (!(noticeMs >= leastNoticeMs))
    throw new Error(`what is deprecated since ${since} may not end within a year of that`);
  return announced;
}

/** The parameters that have a second name. */
const otherNamesAnnounced = deprecation("2026-12-01");

/** A parameter that is the same as the one of another name. It goes on working; whoever gives it is told of the other (RFC 9745). */
export const anotherName = <Schema extends z.ZodType>(schema: Schema, of: string) =>
  schema.optional().meta({ description: `Another name of \`${of}\`.`, deprecated: true });

/** What of a route says that it, or a part of it, is to go. */
type Announcing = {
  readonly query?: z.ZodType | undefined;
  readonly deprecated?: Deprecation | undefined;
};

const known = new WeakMap<Announcing, readonly string[]>();

/** The parameters of a route's query that are other names. */
function otherNames(route: Announcing): readonly string[] {
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

/** What some answers of a route tell of; undefined where nothing of it is to go. */
export const deprecationIn = (route: Announcing): Deprecation | undefined =>
  route.deprecated ?? (otherNames(route).length > 0 ? otherNamesAnnounced : undefined);

/** What the answer to a call tells of: that its route is to go, or that it gives a parameter by a name that is not its own. */
export const deprecationOf = (
  route: Announcing,
  query: Readonly<Record<string, unknown>>,
): Deprecation | undefined =>
  route.deprecated ??
  (otherNames(route).some((name) => Object.hasOwn(query, name)) ? otherNamesAnnounced : undefined);

/** `Deprecation` (RFC 9745), where an end is set `Sunset` (RFC 8594), and the page that tells more; for what answers are built of. */
export const deprecationHeaders = (
  { since, until }: Deprecation,
  origin: string,
): readonly string[] => [
  "Deprecation",
  `@${since.getTime() / 1_000}`,
  ...(until === undefined ? [] : ["Sunset", until.toUTCString()]),
  "Link",
  `<${origin}${page}>; rel="deprecation"; type="text/html"`,
];
