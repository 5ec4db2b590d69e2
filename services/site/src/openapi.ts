import type { Files } from "./files.ts";

/** The parts of `schemas/openapi.json` that the reference shows. */
export type Schema = {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly example?: unknown;
  readonly examples?: readonly unknown[];
};
type Content = Readonly<Record<string, { readonly schema?: Schema; readonly example?: unknown }>>;
export type Parameter = {
  readonly in: string;
  readonly name: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
};
export type Operation = {
  readonly operationId: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly security?: readonly unknown[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<
    Record<string, { readonly description?: string; readonly content?: Content }>
  >;
};
type Document = {
  readonly tags: readonly { readonly name: string; readonly description?: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly webhooks: Readonly<Record<string, { readonly post: Operation }>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
};

/** An operation with where it is. */
export type Call = Operation & { readonly method: string; readonly path: string };

export type Api = Pick<Document, "tags" | "webhooks"> & {
  readonly calls: readonly Call[];
  /** What a reference means; the schema itself when it is none. */
  resolve(schema: Schema): Schema;
};

const methods = ["get", "post", "put", "patch", "delete"];

export function readApi(files: Files): Api {
  const { tags, paths, webhooks, components } = JSON.parse(
    files.read("schemas/openapi.json"),
  ) as Document;
  return {
    tags,
    webhooks,
    calls: Object.entries(paths).flatMap(([path, item]) =>
      methods.flatMap((method) => {
        const operation = item[method];
        return operation === undefined ? [] : [{ ...operation, method, path }];
      }),
    ),
    resolve: ({ $ref, ...rest }) => {
      const name = $ref?.split("/").at(-1);
      return name === undefined ? rest : { ...components.schemas[name], ...rest };
    },
  };
}
