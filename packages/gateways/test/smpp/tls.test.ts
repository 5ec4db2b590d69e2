import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { selfSignedCertificate } from "@heliograph/testkit";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { never, smppSetting, textOf } from "./setting.ts";

const usual = getCACertificates("default");
let own: Awaited<ReturnType<typeof selfSignedCertificate>>;
beforeAll(async () => {
  own = await selfSignedCertificate();
});
afterEach(() => setDefaultCACertificates(usual));
afterAll(() => own.remove());

const over = (host: string) =>
  smppSetting({
    settings: { host, tls: true },
    tls: { key: own.key, cert: own.certificate },
    config: { timeout_ms: 2_000 },
  });

test("over TLS a message goes to a centre whose certificate is of an authority that is trusted", async () => {
  setDefaultCACertificates([...usual, own.certificate]);
  const { gateway, smsc, close } = await over("localhost");
  try {
    expect(await gateway.send(textOf("Hi"), never)).toMatchObject({ type: "accepted" });
    expect(smsc.submits).toHaveLength(1);
  } finally {
    await close();
  }
});

test.each([
  ["of nobody's authority", "localhost", false, /self-signed|unable to verify|issuer/i],
  ["for another host", "127.0.0.1", true, /altnames/],
])("a certificate %s is refused before the password is told", async (_, host, isTrusted, why) => {
  if (isTrusted) setDefaultCACertificates([...usual, own.certificate]);
  const { gateway, smsc, close } = await over(host);
  try {
    await expect(gateway.check!(AbortSignal.timeout(5_000))).rejects.toThrow(why);
    const result = await gateway.send(textOf("Hi"), AbortSignal.timeout(1_000));
    expect(["unavailable", "rejected"]).toContain(result.type);
    expect([smsc.binds, smsc.submits]).toEqual([[], []]);
  } finally {
    await close();
  }
});
