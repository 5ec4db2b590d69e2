import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** PEM texts, and the file that a client is to trust. */
export type Certificate = {
  readonly key: string;
  readonly certificate: string;
  readonly caFile: string;
  remove(): Promise<void>;
};

/**
 * A certificate of nobody's authority for localhost, valid for a day. Node can make keys but no certificates, so OpenSSL does.
 *
 * @throws where there is no `openssl` to call.
 */
export async function selfSignedCertificate(): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), "heliograph-certificate-"));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const [key, caFile] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
    const request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1";
    const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    const files = ["-keyout", key, "-out", caFile];
    await promisify(execFile)("openssl", [...request.split(" "), ...name, ...files]);
    const [keyText, certificate] = [await readFile(key, "utf8"), await readFile(caFile, "utf8")];
    return { key: keyText, certificate, caFile, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
