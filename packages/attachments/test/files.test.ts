import { createSecretKey, randomBytes } from "node:crypto";
import { isSigned, signLink } from "@heliograph/api";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openBytes, sealBytes } from "../src/cipher.ts";
import { cleanName, disposition, nameInHeader } from "../src/names.ts";
import { signedHeaders, sha256OfNothing } from "../src/sigv4.ts";
import { isPassive, sniff } from "../src/sniff.ts";

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

describe("the uploader does not choose the type", () => {
  it.each([
    ["image/png", "\x89PNG\r\n\x1a\n\0\0"],
    ["image/jpeg", "\xff\xd8\xff\xe0"],
    ["image/gif", "GIF89a<script>alert(1)</script>"],
    ["image/webp", "RIFF\x10\0\0\0WEBPVP8 "],
    ["image/heic", "\0\0\0\x18ftypheic"],
    ["video/mp4", "\0\0\0\x18ftypisom"],
    ["application/pdf", "%PDF-1.7"],
    ["application/zip", "PK\x03\x04..."],
    [
      "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
      "PK\x03\x04[Content_Types].xml word/document.xml",
    ],
    ["text/html", "  <!-- a picture, really --><HTML><body>"],
    ["text/html", "plain words and then <script >alert(1)</script>"],
    [
      "image/svg+xml",
      '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="x()"/>',
    ],
    ["application/xml", '<?xml version="1.0"?><feed/>'],
    ["text/plain", "Grüße, 1 < 2"],
    ["application/octet-stream", "\0\x01\x02"],
    ["application/octet-stream", "RIFF\x10\0\0\0XXXX"],
  ])("%s by its bytes", (type, bytes) => {
    expect(sniff(type === "text/plain" ? Buffer.from(bytes) : latin1(bytes))).toBe(type);
  });

  it("what may hold script is never shown in place", () => {
    for (const type of ["text/html", "image/svg+xml", "application/xml", "application/pdf"])
      expect(isPassive(type)).toBe(false);
  });

  it("text whose last character is cut stays text", () => {
    expect(sniff(Buffer.from(`a${"ü".repeat(4_096)}`).subarray(0, 4_096))).toBe("text/plain");
  });
});

describe("names do not rot", () => {
  it("any name comes back from the header that it was written to", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (text) => {
        const name = cleanName(text);
        if (name === undefined) return;
        const header = disposition("attachment", name);
        expect(header).toMatch(/^[\x20-\x7e]*$/);
        expect(nameInHeader(header)).toBe(name);
      }),
    );
  });

  it("한글.pdf is sent as RFC 6266 wants it, and is one name however it was typed", () => {
    expect(disposition("attachment", "한글.pdf")).toBe(
      `attachment; filename="__.pdf"; filename*=UTF-8''%ED%95%9C%EA%B8%80.pdf`,
    );
    expect(cleanName("한글.pdf".normalize("NFD"))).toBe("한글.pdf");
    expect(nameInHeader('attachment; filename="a \\"b\\".txt"')).toBe('a "b".txt');
  });

  it("paths, line breaks and turned reading directions are no part of a name", () => {
    expect(cleanName("C:\\fakepath\\..\\a\r\nb.png")).toBe("ab.png");
    expect(cleanName("../../etc/passwd")).toBe("passwd");
    expect(cleanName("photo\u202Egnp.exe")).toBe("photognp.exe");
    expect(cleanName("..")).toBeUndefined();
  });
});

describe("bytes at rest", () => {
  const key = createSecretKey(randomBytes(32));
  async function* from(...chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
    yield* chunks;
  }
  const collect = async (source: AsyncIterable<Buffer>): Promise<Buffer> =>
    Buffer.concat(await Array.fromAsync(source));

  it.each([0, 1, 65_535, 65_536, 65_537, 200_000])("%i bytes come back", async (size) => {
    const plain = randomBytes(size);
    const cut = Math.floor(size / 3);
    const sealed = await collect(sealBytes(key, from(plain.subarray(0, cut), plain.subarray(cut))));
    expect(await collect(openBytes(key, from(sealed)))).toEqual(plain);
  });

  it("a piece that is changed, moved or missing is refused", async () => {
    const piece = 65_536 + 16;
    const sealed = await collect(sealBytes(key, from(randomBytes(150_000))));
    const changed = Buffer.from(sealed);
    changed[70_000]! ^= 1;
    const swapped = Buffer.concat([
      sealed.subarray(piece, 2 * piece),
      sealed.subarray(0, piece),
      sealed.subarray(2 * piece),
    ]);
    const cut = [sealed.subarray(0, piece), sealed.subarray(0, -1), sealed.subarray(0, 5)];
    for (const bad of [changed, swapped, ...cut])
      await expect(collect(openBytes(key, from(bad)))).rejects.toThrow();
  });
});

it("a link holds for what it was made for, and for nothing else", () => {
  const masterKey = randomBytes(32);
  const link = { environment: "sandbox", id: "att_1", expires: 1_000 } as const;
  const signature = signLink(masterKey, link);
  expect(isSigned(masterKey, link, signature)).toBe(true);
  expect(isSigned(masterKey, { ...link, id: "att_2" }, signature)).toBe(false);
  expect(isSigned(masterKey, { ...link, environment: "live" }, signature)).toBe(false);
  expect(isSigned(masterKey, { ...link, expires: 1_001 }, signature)).toBe(false);
  expect(isSigned(randomBytes(32), link, signature)).toBe(false);
});

it("requests to storage are signed as AWS's own example is", () => {
  // "Signature Calculations for the Authorization Header", example GET Object.
  const { authorization } = signedHeaders(
    {
      method: "GET",
      host: "examplebucket.s3.amazonaws.com",
      path: "/test.txt",
      sha256: sha256OfNothing,
      headers: { range: "bytes=0-9" },
    },
    {
      accessKey: "AKIAIOSFODNN7EXAMPLE",
      secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
      region: "us-east-1",
    },
    new Date("2013-05-24T00:00:00Z"),
  );
  expect(authorization).toContain(
    "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  );
});
