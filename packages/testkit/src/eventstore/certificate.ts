import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** PEM texts. */
export type Certificate = { readonly key: string; readonly certificate: string };

/**
 * A certificate of nobody's authority for 127.0.0.1, valid for a day. Node can make keys but no certificates, so OpenSSL does.
 *
 * @throws where there is no `openssl` to call.
 */
export async function selfSignedCertificate(): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), "heliograph-certificate-"));
  try {
    const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
    const request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1";
    const name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    const files = ["-keyout", key, "-out", certificate];
    await promisify(execFile)("openssl", [...request.split(" "), ...name, ...files]);
    return { key: await readFile(key, "utf8"), certificate: await readFile(certificate, "utf8") };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
