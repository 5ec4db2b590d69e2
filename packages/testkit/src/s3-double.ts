import { createHmac, hash } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

const accessKey = "AKIATEST";
const secretKey = "secret/with+signs";
const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac("sha256", key).update(text).digest();

/** What the signature of a request must be, by the parts that it names itself (AWS Signature Version 4). */
function expectedSignature(request: IncomingMessage, body: Buffer): string | undefined {
  const form = /Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request,\s*SignedHeaders=([^,]+),/;
  const match = form.exec(request.headers.authorization ?? "");
  if (match === null || match[1] !== accessKey) return undefined;
  const [, , day, region, names] = match as unknown as string[];
  const sha256 = hash("sha256", body, "hex");
  if (request.headers["x-amz-content-sha256"] !== sha256) return undefined;
  const signed = names!.split(";");
  if (!signed.includes("host") || !signed.includes("x-amz-date")) return undefined;
  const headers = signed.map((name) => `${name}:${String(request.headers[name])}\n`).join("");
  const [path, query = ""] = request.url!.split("?");
  const canonical = [request.method, path, query, headers, names, sha256].join("\n");
  const scope = [day, region, "s3", "aws4_request"].join("/");
  const toSign = `AWS4-HMAC-SHA256\n${String(request.headers["x-amz-date"])}\n${scope}\n${hash("sha256", canonical, "hex")}`;
  const keys = [day!, region!, "s3", "aws4_request"];
  return hmac(keys.reduce<Buffer>(hmac, Buffer.from(`AWS4${secretKey}`)), toSign).toString("hex");
}

/** Storage with the S3 protocol, as far as objects are put, got and deleted: it refuses what is not signed, or has no length. */
export async function s3Double() {
  const objects = new Map<string, Buffer>();
  /** Answered with this instead, once each. */
  const failures: number[] = [];
  const answer = (request: IncomingMessage, body: Buffer): { status: number; body?: Buffer } => {
    const failure = failures.shift();
    if (failure !== undefined) return { status: failure };
    const given = /Signature=([0-9a-f]{64})$/.exec(request.headers.authorization ?? "")?.[1];
    if (given === undefined || given !== expectedSignature(request, body)) return { status: 403 };
    const path = request.url!;
    if (request.method === "PUT") {
      if (request.headers["content-length"] === undefined) return { status: 411 };
      objects.set(path, body);
      return { status: 200 };
    }
    if (request.method === "DELETE") return { status: objects.delete(path) ? 204 : 404 };
    const found = objects.get(path);
    return found === undefined ? { status: 404 } : { status: 200, body: found };
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { status, body } = answer(request, Buffer.concat(chunks));
      response.writeHead(status).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    /** Of a bucket in it. */
    url: `http://${accessKey}:${encodeURIComponent(secretKey)}@127.0.0.1:${port}/bucket/files?region=eu-central-1`,
    objects,
    failures,
    async close(): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
