import { describe, expect, it } from "vitest";
import { AnswerReader, type Answer } from "../src/answer-reader.ts";

/** Feeds the text in pieces of a size; gives the answer and how many bytes it took until it was there. */
function read(text: string, size = text.length): Answer | undefined {
  const bytes = Buffer.from(text, "latin1");
  const reader = new AnswerReader();
  for (let at = 0; at < bytes.length; at += size) {
    const answer = reader.feed(bytes.subarray(at, at + size));
    if (answer !== undefined) return answer;
  }
  return reader.end();
}

const answers: readonly (readonly [string, string, Partial<Answer>])[] = [
  [
    "a body with a length",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    { status: 200, excerpt: "ok", keepAliveMs: undefined },
  ],
  [
    "no body",
    "HTTP/1.1 204 No Content\r\nKeep-Alive: timeout=5, max=100\r\n\r\n",
    { status: 204, excerpt: "", keepAliveMs: 5_000 },
  ],
  ["an empty reason", "HTTP/1.1 500 \r\ncontent-length:0\r\n\r\n", { status: 500, excerpt: "" }],
  ["no reason at all", "HTTP/1.1 500\r\ncontent-length: 0\r\n\r\n", { status: 500 }],
  [
    "chunks",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
    { excerpt: "abc0123456789", keepAliveMs: undefined },
  ],
  [
    "interim answers before it",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 1\r\n\r\nx",
    { status: 202, excerpt: "x" },
  ],
  [
    "an end by closing",
    "HTTP/1.1 200 OK\r\n\r\nuntil the end",
    { excerpt: "until the end", keepAliveMs: 0 },
  ],
  [
    "a wish to close",
    "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n",
    { keepAliveMs: 0 },
  ],
  ["an old version", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", { keepAliveMs: 0 }],
  [
    "a length beside chunks",
    "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    { excerpt: "x", keepAliveMs: 0 },
  ],
  [
    "chunks of an encoded body",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    { status: 200, excerpt: "(2 encoded bytes)", keepAliveMs: undefined },
  ],
  [
    "encodings on two lines",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    { status: 200, excerpt: "(2 encoded bytes)" },
  ],
  [
    "an encoding that says none",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok",
    { status: 200, excerpt: "ok", keepAliveMs: 0 },
  ],
  [
    "a folded header",
    "HTTP/1.1 200 OK\r\nX-A: a\r\n  folded\r\nContent-Length:\r\n\t2\r\n\r\nok",
    { status: 200, excerpt: "ok", keepAliveMs: undefined },
  ],
  [
    "a blank before the colon",
    "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    { status: 200, excerpt: "ok", keepAliveMs: undefined },
  ],
  [
    "the same length twice",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2, 2\r\n\r\nok",
    { status: 200, excerpt: "ok", keepAliveMs: undefined },
  ],
  [
    "sizes with zeros before",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0000000000002\r\nok\r\n000000000000\r\n\r\n",
    { status: 200, excerpt: "ok", keepAliveMs: undefined },
  ],
  [
    "an old version that keeps the connection",
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
    { keepAliveMs: undefined },
  ],
  [
    "a wish to close among others",
    "HTTP/1.1 200 OK\r\nConnection: x-a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    { keepAliveMs: 0 },
  ],
  [
    "an encoded body",
    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
    { excerpt: "(3 encoded bytes)" },
  ],
  [
    "a request for time",
    "HTTP/1.1 429 Slow\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n",
    { status: 429, retryAfter: "120" },
  ],
];

describe("an answer", () => {
  it.each(answers)("with %s is read, however it is cut into packets", (_, text, expected) => {
    for (let size = 1; size <= text.length; size++)
      expect(read(text, size)).toMatchObject(expected);
  });

  it("with more bytes than it announced ends the use of the connection", () => {
    expect(read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK")).toMatchObject({
      excerpt: "ok",
      keepAliveMs: 0,
    });
  });

  it("is judged by its status when the body never ends, whatever the framing", () => {
    const body = "x".repeat(70_000);
    for (const head of [
      "Content-Length: 10737418240",
      "Connection: close",
      "Transfer-Encoding: chunked",
    ]) {
      const framed = head.startsWith("Transfer") ? `fffffff\r\n${body}` : body;
      expect(read(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${framed}`, 1_000)).toMatchObject({
        status: 200,
        keepAliveMs: 0,
        excerpt: "x".repeat(512),
      });
    }
    const crumbs = `1;${"e".repeat(1_000)}\r\nx\r\n`.repeat(1_000);
    expect(
      read(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${crumbs}`, 1_000),
    ).toMatchObject({ status: 200, keepAliveMs: 0 });
  });

  it("is not there while it is incomplete", () => {
    for (const [, text] of answers.filter(([, whole]) => !whole.includes("until the end")))
      for (let length = 1; length < text.length; length++)
        expect(read(text.slice(0, length))).toBeUndefined();
  });

  it.each([
    ["another protocol", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["another version", "HTTP/2.0 200 OK\r\n\r\n"],
    ["a status that is none", "HTTP/1.1 2xx OK\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"],
    ["a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
    ["a chunk without a size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"],
    [
      "a chunk longer than its size",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n",
    ],
    ["a header without a name", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"],
    ["endless headers", `HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(5_000)}\r\n`],
    ["an upgrade", "HTTP/1.1 101 Switching Protocols\r\n\r\n"],
    ["a flood of interim answers", "HTTP/1.1 102 Processing\r\n\r\n".repeat(20)],
  ])("that is %s is refused", (_, text) => {
    for (const size of [1, 7, text.length]) expect(() => read(text, size)).toThrow();
  });
});
