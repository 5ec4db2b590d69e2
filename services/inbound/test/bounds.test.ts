import { attachmentsIn } from "@heliograph/attachments";
import { readSettings } from "@heliograph/runtime";
import { selfSignedCertificate } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { readCertificate } from "../src/mail/certificate.ts";
import { keptMailBytes, mailsOfOne } from "../src/mail/limits.ts";
import { isSlow } from "../src/mail/listener.ts";
import { openRates } from "../src/mail/rates.ts";
import { withMail } from "../src/mail/read.ts";

test("a certificate whose key is another's is not used, and the pair is once both are there", async () => {
  const certificate = await selfSignedCertificate();
  const next = await selfSignedCertificate();
  try {
    const keyFile = next.caFile.replace(/[^/]*$/, "key.pem");
    expect(() => readCertificate({ certFile: certificate.caFile, keyFile })).toThrow();
    expect(readCertificate({ certFile: next.caFile, keyFile })).toEqual({
      cert: next.certificate,
      key: next.key,
    });
  } finally {
    await certificate.remove();
    await next.remove();
  }
});

test("of a mail in small pieces no piece is kept, and no more than there is room for", async () => {
  const piece = Buffer.alloc(30, "abc");
  async function* pieces() {
    for (let count = 0; count < keptMailBytes / 30 + 10; count++) {
      yield Buffer.from(piece);
    }
  }
  const keeping = { attachments: attachmentsIn(readSettings({})), room: { held: 0 } };
  const { body, bytes } = await withMail(pieces(), keeping, async (mail) => mail);
  expect(body.buffer.byteLength).toBe(keptMailBytes);
  expect(body.equals(Buffer.alloc(keptMailBytes, "abc"))).toBe(true);
  expect(bytes).toBeGreaterThan(keptMailBytes);
});

test("a mail that comes too slowly ends its connection, and one that is here waits as long as it takes to store", () => {
  const slow = (byteLength: number, writableEnded: boolean, now: number) =>
    isSlow({ since: 0, stream: { byteLength, writableEnded } }, now);
  expect(slow(0, false, 29_000)).toBe(false);
  expect(slow(1_000, false, 31_000)).toBe(true);
  expect(slow(200_000, false, 31_000)).toBe(false);
  expect(slow(200_000, false, 60_000)).toBe(true);
  expect(slow(1_000, true, 60_000)).toBe(false);
});

test("much mail of one place is put off, whichever of its addresses it comes from, and another place's is taken", () => {
  let now = 0;
  const rates = openRates(() => now);
  const many = Array.from(
    { length: mailsOfOne.requests },
    (_, at) => `b-${at}@bounces.shop.example`,
  );
  rates.count("2001:db8::1", many);
  expect(rates.hasRoom("2001:db8::2", "help@shop.example")).toBe(false);
  expect(rates.hasRoom("2001:db8:1::1", "help@shop.example")).toBe(true);
  for (const place of ["192.0.2.1", "192.0.2.2", "192.0.2.3"])
    rates.count(place, many.fill("help@shop.example"));
  expect(rates.hasRoom("192.0.2.4", "help@shop.example")).toBe(false);
  expect(rates.hasRoom("192.0.2.4", "sales@shop.example")).toBe(true);
  now = 60_000;
  expect(rates.hasRoom("2001:db8::2", "help@shop.example")).toBe(true);
});
