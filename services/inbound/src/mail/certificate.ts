import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Logger } from "pino";
import { certificateEveryMs } from "./limits.ts";

/** Where the two are; both or none. */
export type CertificateFiles = { readonly certFile: string; readonly keyFile: string };
export type Certificate = { readonly cert: string; readonly key: string };

/** Throws when either cannot be read or used, and when the key is another certificate's: a server that was given such a pair would encrypt nothing any more. */
export function readCertificate({ certFile, keyFile }: CertificateFiles): Certificate {
  const certificate = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
  createSecureContext(certificate);
  // OpenSSL takes a pair of two sorts of keys.
  if (!new X509Certificate(certificate.cert).checkPrivateKey(createPrivateKey(certificate.key)))
    throw new Error(`the key of ${keyFile} is not that of the certificate in ${certFile}`);
  return certificate;
}

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
