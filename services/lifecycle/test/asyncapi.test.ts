import specs from "@asyncapi/specs";
import { Ajv } from "ajv";
import { expect, test } from "vitest";
import { lifecycleTypes } from "@heliograph/domain";
import { asyncapiDocument } from "../src/api/asyncapi.ts";

type Document = {
  readonly channels: Readonly<Record<string, { readonly messages: object }>>;
  readonly components: {
    readonly messages: Readonly<
      Record<
        string,
        {
          readonly payload: object;
          readonly headers: object;
          readonly examples: readonly [{ readonly headers: object; readonly payload: object }];
        }
      >
    >;
  };
};
const document = asyncapiDocument() as Document;

test("the document is AsyncAPI 3.0 by the specification's own schema", () => {
  // The specification's schema brings draft-07's own with it.
  const ajv = new Ajv({
    meta: false,
    validateSchema: false,
    strict: false,
    allErrors: true,
    validateFormats: false,
  });
  const valid = ajv.compile(specs.schemas["3.0.0"] as object);
  expect(valid(document) ? [] : valid.errors).toEqual([]);
  expect(valid({ ...document, channels: { message: { address: 1 } } })).toBe(false);
});

test("every reference leads somewhere", () => {
  const missing = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)]
    .map(([, path]) => path!)
    .filter(
      (path) =>
        path
          .split("/")
          .reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], document) ===
        undefined,
    );
  expect(missing).toEqual([]);
});

test("every type but those without a topic is on the channel of its first part and on the partner's own", () => {
  const published = Object.keys(lifecycleTypes).filter(
    (type) => !/^(?:webhook_endpoint|key|gateway)\./.test(type),
  );
  expect(Object.keys(document.components.messages).toSorted()).toEqual(published.toSorted());
  for (const type of published)
    for (const prefix of ["", "partner."])
      expect(document.channels[prefix + type.slice(0, type.indexOf("."))]!.messages).toHaveProperty(
        [type],
      );
});

test("the headers of each message are an object, as the specification asks", () => {
  const { messages } = (
    asyncapiDocument() as {
      components: { messages: Record<string, { headers: { type: string } }> };
    }
  ).components;
  const types = Object.values(messages).map(({ headers }) => headers.type);
  expect(types.length).toBeGreaterThan(5);
  expect(new Set(types)).toEqual(new Set(["object"]));
});

test("each message's example fits its headers and its payload", () => {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: "asyncapi", ...document });
  for (const { examples, headers, payload } of Object.values(document.components.messages)) {
    const [example] = examples;
    const [fits, attributes] = [payload, headers].map((schema) =>
      ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"asyncapi#/'))),
    );
    expect(fits!(example.payload) ? [] : fits!.errors).toEqual([]);
    expect(attributes!(example.headers) ? [] : attributes!.errors).toEqual([]);
  }
});
