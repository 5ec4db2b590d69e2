import { createReadStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { request as plain, type IncomingMessage } from "node:http";
import { request as secure } from "node:https";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { sha256OfNothing, signedHeaders, type S3Credentials } from "./sigv4.ts";
import type { AttachmentStore } from "./store.ts";

/** An answer that takes longer is none; 10 MB at 3 Mbit/s come in it. */
const deadlineMs = 30_000;

type Asked = {
  readonly method: "PUT" | "GET" | "DELETE";
  readonly name: string;
  readonly file?: { readonly path: string; readonly bytes: number; readonly sha256: string };
};

/**
 * Bytes in S3-compatible storage, addressed by path: `https://<access key>:<secret key>@<host>/<bucket>[/<prefix>]?region=…`. Throws for what it answers beside 2xx, so that nothing is
 * taken for stored that is not.
 */
export function s3Store(address: string): AttachmentStore {
  const url = new URL(address);
  const credentials: S3Credentials = {
    accessKey: decodeURIComponent(url.username),
    secretKey: decodeURIComponent(url.password),
    region: url.searchParams.get("region") ?? "us-east-1",
  };
  const ask = async ({ method, name, file }: Asked): Promise<IncomingMessage> => {
    const path = `${url.pathname.replace(/\/+$/, "")}/${name}`;
    const sha256 = file?.sha256 ?? sha256OfNothing;
    const signed = signedHeaders({ method, host: url.host, path, sha256 }, credentials, new Date());
    const request = (url.protocol === "https:" ? secure : plain)({
      method,
      hostname: url.hostname,
      port: url.port,
      path,
      headers: { ...signed, "content-length": file?.bytes ?? 0 },
      signal: AbortSignal.timeout(deadlineMs),
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      request.once("response", resolve).once("error", reject);
    });
    const sent =
      file === undefined ? request.end() : pipeline(createReadStream(file.path), request);
    const [answer] = await Promise.all([answered, sent]);
    return answer;
  };
  const done = async (asked: Asked): Promise<void> => {
    const { statusCode = 0 } = (await ask(asked)).resume();
    const isGone = asked.method === "DELETE" && statusCode === 404;
    if ((statusCode < 200 || statusCode > 299) && !isGone)
      throw new Error(`the storage answers ${asked.method} with ${statusCode}`);
  };
  return {
    async put(name, file, sha256) {
      const { size } = await stat(file);
      await done({ method: "PUT", name, file: { path: file, bytes: size, sha256 } });
      await rm(file, { force: true });
    },
    async get(name) {
      const answer = await ask({ method: "GET", name });
      if (answer.statusCode === 200) return answer;
      const said = await text(answer);
      // Without the bucket nothing is known of its files.
      if (answer.statusCode === 404 && !said.includes("NoSuchBucket")) return undefined;
      throw new Error(`the storage answers GET with ${answer.statusCode}`);
    },
    remove: (name) => done({ method: "DELETE", name }),
  };
}
