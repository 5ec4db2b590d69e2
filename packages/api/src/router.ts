/** What a path leads to: a target with its parameters, the methods it has instead, or nothing. */
export type Match<Target> =
  | {
      readonly kind: "found";
      readonly target: Target;
      readonly params: Readonly<Record<string, string>>;
    }
  | { readonly kind: "method_not_allowed"; readonly allow: string }
  | { readonly kind: "not_found" };

type Node<Target> = {
  readonly literal: Map<string, Node<Target>>;
  wildcard: { name: string; node: Node<Target> } | undefined;
  methods: Map<string, Target> | undefined;
};

const noParams: Readonly<Record<string, string>> = Object.freeze({});
const node = <Target>(): Node<Target> => ({
  literal: new Map(),
  wildcard: undefined,
  methods: undefined,
});

/**
 * A table of `METHOD /path/:parameter` entries. Literal segments win over parameters; paths without parameters are one look-up.
 * `HEAD` is answered by `GET`. Throws when two entries are the same or name one place's parameter differently.
 */
export class Router<Target> {
  readonly #root = node<Target>();
  readonly #exact = new Map<string, Match<Target>>();

  add(method: string, path: string, target: Target): void {
    let at = this.#root;
    let fixed = true;
    for (const segment of path.split("/").slice(1)) {
      if (segment.startsWith(":")) {
        fixed = false;
        at.wildcard ??= { name: segment.slice(1), node: node() };
        if (at.wildcard.name !== segment.slice(1))
          throw new Error(`${path}: the parameter is called :${at.wildcard.name} elsewhere`);
        at = at.wildcard.node;
      } else {
        let next = at.literal.get(segment);
        if (next === undefined) at.literal.set(segment, (next = node()));
        at = next;
      }
    }
    at.methods ??= new Map();
    if (at.methods.has(method)) throw new Error(`${method} ${path} is there twice`);
    at.methods.set(method, target);
    if (fixed) this.#exact.set(`${method} ${path}`, { kind: "found", target, params: noParams });
  }

  match(method: string, path: string): Match<Target> {
    const exact = this.#exact.get(`${method} ${path}`);
    if (exact !== undefined) return exact;
    const params: Record<string, string> = {};
    const found = walk(this.#root, path.split("/"), 1, params);
    if (found?.methods === undefined) return { kind: "not_found" };
    const target =
      found.methods.get(method) ?? (method === "HEAD" ? found.methods.get("GET") : undefined);
    if (target !== undefined) return { kind: "found", target, params };
    const allow = [...found.methods.keys(), ...(found.methods.has("GET") ? ["HEAD"] : [])]
      .sort()
      .join(", ");
    return { kind: "method_not_allowed", allow };
  }
}

function walk<Target>(
  from: Node<Target>,
  segments: readonly string[],
  index: number,
  params: Record<string, string>,
): Node<Target> | undefined {
  if (index === segments.length) return from.methods === undefined ? undefined : from;
  const segment = segments[index]!;
  const literal = from.literal.get(segment);
  const viaLiteral = literal && walk(literal, segments, index + 1, params);
  if (viaLiteral !== undefined) return viaLiteral;
  if (from.wildcard === undefined || segment === "") return undefined;
  let value: string;
  try {
    value = decodeURIComponent(segment);
  } catch {
    return undefined;
  }
  const found = walk(from.wildcard.node, segments, index + 1, params);
  if (found !== undefined) params[from.wildcard.name] = value;
  return found;
}
