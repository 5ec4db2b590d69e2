import { Busboy, type BusboyHeaders } from "@fastify/busboy";

/** A file that came with a form. */
export type Upload = {
  /** As whoever sent it called it. */
  readonly name: string;
  readonly type: string;
  readonly bytes: Buffer<ArrayBuffer>;
};

/** Fields of a form, each once; of one that is there twice the last counts. */
export type Form = {
  /** Without blanks around it; empty where there is none. */
  text(name: string): string;
  /** As it was written. */
  exact(name: string): string;
  /** `variables[name]` for `variables`: the names that were filled in. */
  map(name: string): Readonly<Record<string, string>>;
  has(name: string): boolean;
  /** All of them, as they came. */
  entries(): readonly (readonly [name: string, value: string])[];
  /** Undefined where none was chosen. */
  file(name: string): Upload | undefined;
};

const noFiles: ReadonlyMap<string, Upload> = new Map();

export const formOf = (given: Iterable<readonly [string, string]>, files = noFiles): Form => {
  const fields = new Map(given);
  return {
    text: (name) => fields.get(name)?.trim() ?? "",
    exact: (name) => fields.get(name) ?? "",
    has: (name) => fields.has(name),
    entries: () => [...fields],
    file: (name) => files.get(name),
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

type Bounds = {
  /** Of all fields together, as they are sent. */
  readonly maxBytes: number;
  /** Of all files together; a form that has files is none where this is missing. */
  readonly maxFileBytes?: number | undefined;
};

/** Parts of a form with files: more than any form of ours has, and few enough to cost nothing. */
const maxParts = 500;

/**
 * Reads a posted form. `other`: it is none; `large`: there is more than the bounds allow, and the rest was not read: the connection has to end with the answer.
 */
export async function readForm(
  contentType: string | undefined,
  body: AsyncIterable<Buffer>,
  { maxBytes, maxFileBytes }: Bounds,
): Promise<Form | "other" | "large"> {
  const [type] = (contentType ?? "").split(";", 1).map((each) => each.trim().toLowerCase());
  if (type === "application/x-www-form-urlencoded") {
    const bytes = await gather(body, maxBytes);
    return bytes === undefined ? "large" : formOf(new URLSearchParams(unixLines(bytes)));
  }
  if (type !== "multipart/form-data" || maxFileBytes === undefined) return "other";
  const bytes = await gather(body, maxBytes + maxFileBytes);
  if (bytes === undefined) return "large";
  return readParts(contentType!, bytes, { maxBytes, maxFileBytes });
}

/** A browser sends line ends as CR LF (HTML, form submission); what we send on has LF. */
const unixLines = (bytes: Buffer): string => bytes.toString("utf8").replaceAll("%0D%0A", "%0A");

/** Undefined when there is more. A reader that stops early must not be told so: that would end the connection before the answer. */
async function gather(body: AsyncIterable<Buffer>, most: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  const reader = body[Symbol.asyncIterator]();
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.next();
    if (done === true) return Buffer.concat(chunks, bytes);
    bytes += value.length;
    if (bytes > most) return undefined;
    chunks.push(value);
  }
}

function readParts(
  contentType: string,
  bytes: Buffer,
  { maxBytes, maxFileBytes }: Required<Bounds>,
): Promise<Form | "other" | "large"> {
  return new Promise((resolve) => {
    const fields: [string, string][] = [];
    const files = new Map<string, Upload>();
    let isLarge = false;
    try {
      const headers = { "content-type": contentType } as BusboyHeaders;
      const limits = { fieldSize: maxBytes, fileSize: maxFileBytes!, parts: maxParts };
      const parser = new Busboy({ headers, limits });
      parser.on("field", (name, value, _nameCut, isCut) => {
        isLarge ||= isCut;
        fields.push([name, value.replaceAll("\r\n", "\n")]);
      });
      parser.on("file", (field, stream, name: string | undefined, _encoding, type) => {
        const chunks: Buffer[] = [];
        stream.on("data", (chunk: Buffer) => chunks.push(chunk));
        stream.on("limit", () => (isLarge = true));
        // An input in which nothing was chosen sends a part without a name.
        stream.on("end", () => {
          if (name !== undefined && name !== "")
            files.set(field, { name, type, bytes: Buffer.concat(chunks) });
        });
      });
      parser.on("partsLimit", () => (isLarge = true));
      parser.on("error", () => resolve("other"));
      parser.on("finish", () => resolve(isLarge ? "large" : formOf(fields, files)));
      parser.end(bytes);
    } catch {
      // No boundary in its type.
      resolve("other");
    }
  });
}
