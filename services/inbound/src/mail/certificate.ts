import { readFileSync } from "node:fs";
import type { Logger } from "pino";
import { certificateEveryMs } from "./limits.ts";

/** Where the two are; both or none. */
export type CertificateFiles = { readonly certFile: string; readonly keyFile: string };
export type Certificate = { readonly cert: string; readonly key: string };

/** Throws when either cannot be read. */
export const readCertificate = ({ certFile, keyFile }: CertificateFiles): Certificate => ({
  cert: readFileSync(certFile, "utf8"),
  key: readFileSync(keyFile, "utf8"),
});

/** Looks from time to time whether there is another certificate, and gives it; the one before stays where a new one cannot be used. Gives how to stop. */
export function watchCertificate(
  files: CertificateFiles,
  first: Certificate,
  logger: Logger,
  use: (certificate: Certificate) => void,
): () => void {
  let current = first;
  const look = (): void => {
    try {
      const next = readCertificate(files);
      if (next.cert === current.cert && next.key === current.key) return;
      use(next);
      current = next;
    } catch (error) {
      logger.warn({ err: error }, "the certificate of inbound mail could not be renewed");
    }
  };
  const timer = setInterval(look, certificateEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}
