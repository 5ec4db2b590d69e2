import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { readForm, type Form } from "../src/index.ts";

const bounds = { maxBytes: 1_000, maxFileBytes: 5_000 };
const plain = "application/x-www-form-urlencoded";

/** As a browser sends it: in chunks of a few bytes. */
async function posted(
  body: FormData | URLSearchParams,
  given = bounds as Parameters<typeof readForm>[2],
) {
  const request = new Request("http://a.example", { method: "POST", body });
  const bytes = Buffer.from(await request.arrayBuffer());
  const chunks = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, index) =>
    bytes.subarray(index * 7, index * 7 + 7),
  );
  return readForm(request.headers.get("content-type")!, Readable.from(chunks), given);
}
const read = async (...given: Parameters<typeof posted>): Promise<Form> => {
  const form = await posted(...given);
  if (typeof form === "string") throw new Error(form);
  return form;
};
const filled = (fields: Readonly<Record<string, string | File>>): FormData => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return form;
};

test("fields are read, the last of two counts, and lines end as everywhere but in browsers", async () => {
  const form = await read(
    new URLSearchParams([
      ["to", "first"],
      ["to", " +1555 "],
      ["text", "a\r\nb"],
      ["variables[name]", "Ada"],
      ["variables[none]", ""],
    ]),
  );
  expect([form.text("to"), form.exact("to"), form.text("none")]).toEqual(["+1555", " +1555 ", ""]);
  expect([form.exact("text"), form.has("text"), form.has("none")]).toEqual(["a\nb", true, false]);
  expect(form.map("variables")).toEqual({ name: "Ada" });
  expect(form.file("to")).toBeUndefined();
});

test("a file comes with its name and its bytes, and where none was chosen there is none", async () => {
  const bytes = Buffer.from([0, 255, 13, 10, 45, 45]);
  const form = await read(
    filled({
      text: "a\nb",
      list: new File([bytes], "Müller & Söhne.csv", { type: "text/csv" }),
      empty: new File([], ""),
    }),
  );
  expect(form.exact("text")).toBe("a\nb");
  expect(form.file("list")).toEqual({ name: "Müller & Söhne.csv", type: "text/csv", bytes });
  expect([form.file("empty"), form.file("text")]).toEqual([undefined, undefined]);
});

test.each([
  ["fields", new URLSearchParams({ text: "x".repeat(1_001) })],
  ["a field beside files", filled({ text: "x".repeat(1_001) })],
  ["a file", filled({ list: new File(["x".repeat(5_001)], "a.csv") })],
  ["all of it", filled({ list: new File(["x".repeat(9_000)], "a.csv") })],
])("%s that is too large is not taken", async (_what, body) => {
  expect(await posted(body)).toBe("large");
});

test("more parts than any form has are not taken", async () => {
  const form = new FormData();
  for (let index = 0; index < 501; index++) form.append(`f${index}`, "");
  expect(await posted(form, { maxBytes: 1e6, maxFileBytes: 1e6 })).toBe("large");
});

test.each([
  ["application/json", "{}"],
  ["multipart/form-data", "no boundary"],
  ["multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=a\r\n\r\nhalf"],
  ["application/x-www-form-urlencoded-not", "a=b"],
])("%j with %j is no form", async (type, body) => {
  expect(await readForm(type, Readable.from([Buffer.from(body)]), bounds)).toBe("other");
});

test("files are not read where no form has any", async () => {
  const form = filled({ list: new File(["x"], "a.csv") });
  expect(await posted(form, { maxBytes: 1_000 })).toBe("other");
});

test("what is too large is left unread and open, so that an answer can be sent", async () => {
  const body = Readable.from([Buffer.alloc(2_000), Buffer.alloc(2_000)]);
  expect(await readForm(plain, body, bounds)).toBe("large");
  expect(body.destroyed).toBe(false);
});
