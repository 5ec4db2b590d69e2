import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

type Node = { [key: string]: unknown };
/** An answer as a test's client has it. */
export type Checked = {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
};

/** What every HTTP answer may have; no document lists these. */
const ordinary = new Set([
  "cache-control",
  "connection",
  "content-disposition",
  "content-length",
  "content-security-policy",
  "cross-origin-opener-policy",
  "permissions-policy",
  "x-frame-options",
  "content-type",
  "date",
  "keep-alive",
  "referrer-policy",
  "transfer-encoding",
  "x-accel-buffering",
  "x-content-type-options",
  "allow",
]);

/**
 * Holds answers against an OpenAPI document: the status is documented, so is every header, and the body has the fields that the document
 * names, no others, and only values that it knows. Answers may grow without breaking a client, but not without the document. What it gives
 * throws on the first difference.
 */
export function openapiCheck(document: object): (answer: Checked) => void {
  const root = document as Node;
  const ajv = new Ajv2020({
    strict: false,
    meta: false,
    validateSchema: false,
    validateFormats: false,
  });
  const { schemas = {} } = (root["components"] ?? {}) as { schemas?: Record<string, unknown> };
  const added = new Set<string>();
  /** A schema of the document, closed, with all that it refers to: few of them are ever asked for. */
  const taken = (schema: unknown): Node => {
    const own = closed(schema, (name) => {
      if (added.has(name)) return;
      added.add(name);
      ajv.addSchema(taken(schemas[name]), name);
    });
    return own as Node;
  };
  const validators = new Map<string, ValidateFunction>();
  const paths = Object.entries(root["paths"] as Record<string, Node>).map(([path, item]) => ({
    path,
    item,
    // Literal segments win over parameters, as they do when a request is routed.
    parameters: path.split("{").length,
    form: new RegExp(`^${path.replaceAll(/[.]/g, "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`),
  }));
  paths.sort((left, right) => left.parameters - right.parameters);

  const validate = (name: string, schema: unknown, value: unknown, what: string): void => {
    let validator = validators.get(name);
    if (validator === undefined) validators.set(name, (validator = ajv.compile(taken(schema))));
    if (!validator(value))
      throw new Error(
        `${what} does not fit the document: ${ajv.errorsText(validator.errors)} ${JSON.stringify(validator.errors?.[0]?.params)}\n${JSON.stringify(value)?.slice(0, 2_000)}`,
      );
  };

  return ({ method, path, status, headers, text }) => {
    const address = path.split("?")[0]!;
    const place = paths.find(({ form }) => form.test(address));
    const verb = method === "HEAD" ? "get" : method.toLowerCase();
    const operation = place?.item[verb] as Node | undefined;
    // An address that is not there, and a method that an address does not take, are in no document.
    if (place === undefined || operation === undefined) return;
    const what = `${method} ${place.path} ${status}`;
    const response = (operation["responses"] as Record<string, Node>)[String(status)];
    if (response === undefined) throw new Error(`${what} is not documented: ${text.slice(0, 500)}`);
    checkHeaders(what, response, headers);
    const type = headers.get("content-type")?.split(";")[0];
    const content = response["content"] as Record<string, Node> | undefined;
    if (method === "HEAD") return;
    if (type === undefined && content === undefined) {
      if (text !== "") throw new Error(`${what} has a body and the document names none`);
      return;
    }
    if (type === undefined || content?.[type] === undefined)
      throw new Error(
        `${what} is ${type}, and the document names ${Object.keys(content ?? {}).join(", ")}`,
      );
    if (/[/+]json$/.test(type)) {
      const { schema } = content[type] as { schema: { $ref?: string } };
      // Most answers are one of a few schemas: each is compiled once.
      validate(schema.$ref ?? `${what} ${type}`, schema, JSON.parse(text), what);
    }
  };
}

function checkHeaders(what: string, response: Node, headers: Headers): void {
  const documented = Object.entries((response["headers"] ?? {}) as Record<string, Node>);
  const names = new Set(documented.map(([name]) => name.toLowerCase()));
  for (const [name] of headers)
    if (!names.has(name) && !ordinary.has(name))
      throw new Error(`${what} has the header ${name}, which is not documented`);
  for (const [name, { required }] of documented)
    if (required === true && !headers.has(name))
      throw new Error(`${what} lacks the header ${name}`);
}

const componentPrefix = "#/components/schemas/";

/** Closes what the document leaves open for later versions: objects have the named fields only, and choices the named values. Tells of each component that is referred to. */
function closed(node: unknown, refersTo: (name: string) => void): unknown {
  if (Array.isArray(node)) return node.map((item) => closed(item, refersTo));
  if (typeof node !== "object" || node === null) return node;
  const copy: Node = {};
  for (const [key, value] of Object.entries(node)) copy[key] = closed(value, refersTo);
  if (copy["type"] === "object" && "properties" in copy && !("additionalProperties" in copy))
    copy["additionalProperties"] = false;
  if ("x-extensible-enum" in copy) copy["enum"] = copy["x-extensible-enum"];
  const { $ref } = copy;
  if (typeof $ref === "string") {
    const name = $ref.slice(componentPrefix.length);
    if (!$ref.startsWith(componentPrefix)) throw new Error(`${$ref} is no component`);
    refersTo(name);
    copy["$ref"] = name;
  }
  return copy;
}
