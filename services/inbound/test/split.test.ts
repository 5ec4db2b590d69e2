import { randomBytes } from "node:crypto";
import { parseInbound } from "@heliograph/gateways";
import { createTransport } from "nodemailer";
import { expect, test } from "vitest";
import { mailSplitter } from "../src/mail/split.ts";

const compose = async (mail: object): Promise<Buffer> =>
  (
    await createTransport({ streamTransport: true, buffer: true, newline: "windows" }).sendMail(
      mail,
    )
  ).message as Buffer;

type Taken = { readonly kept: Buffer; readonly files: { type: string; content: Buffer }[] };

/** In pieces of one size, as a connection may give them. */
function splitIn(raw: Buffer, size: number): Taken {
  const splitter = mailSplitter();
  const kept: Buffer[] = [];
  const files: { type: string; content: Buffer }[] = [];
  const pieces = Array.from({ length: Math.ceil(raw.length / size) }, (_, at) =>
    splitter.push(raw.subarray(at * size, (at + 1) * size)),
  );
  for (const piece of [...pieces, splitter.end()].flat())
    if (piece.kind === "kept") kept.push(piece.bytes);
    else if (piece.kind === "file") files.push({ type: piece.head.type, content: Buffer.alloc(0) });
    else if (piece.kind === "content")
      files.at(-1)!.content = Buffer.concat([files.at(-1)!.content, piece.bytes]);
  return { kept: Buffer.concat(kept), files };
}

const read = (raw: Buffer) =>
  parseInbound("smtp", {
    raw,
    contentType: "message/rfc822; to=help@shop.example",
    gateway: { name: "mail", channel: "email" },
    files: [],
  });

const picture = randomBytes(70_001);
const list = Buffer.from("a;b\r\n--not a boundary\r\n1;=2\r\n\r\n");
const mail = {
  from: "Ada <ada@example.com>",
  to: "help@shop.example",
  subject: "Two files",
  text: "See below.\r\n",
  html: '<p>See below: <img src="cid:one"></p>',
  attachments: [
    { filename: "picture.png", content: picture, cid: "one", contentDisposition: "inline" },
    { filename: "list.csv", content: list, contentTransferEncoding: "quoted-printable" },
    { filename: "plain.txt", content: list, contentTransferEncoding: "7bit" },
    { filename: "forwarded.eml", content: "Subject: x\r\n\r\nHi", contentType: "message/rfc822" },
  ],
} as const;

test.each([1, 7, 4_096, 1_000_000])(
  "files come out of a mail as they were put in, in pieces of %i bytes, and what is left reads as the whole did",
  async (size) => {
    const raw = await compose(mail);
    const { kept, files } = splitIn(raw, size);
    expect(files.map(({ type }) => type)).toEqual([
      "image/png",
      "text/csv",
      "text/plain",
      "message/rfc822",
    ]);
    expect(files[0]!.content.equals(picture)).toBe(true);
    expect(files.slice(1).map(({ content }) => content.toString())).toEqual([
      list.toString(),
      list.toString(),
      "Subject: x\r\n\r\nHi",
    ]);
    expect(kept.length).toBeLessThan(3_000);
    const { providerMessageId, ...whole } = await read(raw);
    expect(await read(kept)).toEqual({ providerMessageId, ...whole });
  },
);

test("a report keeps its parts, a mail that is a file alone is one, and what has no sound structure stays as it is", async () => {
  const part = "--b\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n--b--\r\n";
  const report = `Content-Type: multipart/report; boundary="b"\r\n\r\n${part}`;
  expect(splitIn(Buffer.from(report), 50).files).toEqual([]);
  const alone = splitIn(Buffer.from("Content-Type: application/pdf\r\n\r\n%PDF\r\n"), 9);
  expect(alone.files).toEqual([{ type: "application/pdf", content: Buffer.from("%PDF") }]);
  const deep = Array.from(
    { length: 40 },
    (_, at) => `Content-Type: multipart/mixed; boundary=b${at}\r\n\r\n--b${at}\r\n`,
  ).join("");
  for (const odd of [deep + part, `Content-Type: multipart/mixed\r\n\r\n${part}`, "", "\n"])
    expect(splitIn(Buffer.from(odd), 3).kept.toString()).toBe(odd);
});
