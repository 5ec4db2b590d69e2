import { channels } from "@heliograph/contracts";
import { gatewayKind } from "../descriptor.ts";
import { createHttpGateway } from "./connector.ts";
import { genericErrors } from "./errors.ts";
import { readHttp, verifyHttp } from "./receipts.ts";
import { renderRequest } from "./render.ts";
import { httpFault, HttpSecrets, HttpSettings } from "./settings.ts";

/** Any provider that takes a message by one HTTP request: what it looks like and what answers mean is configured. */
export const http = gatewayKind({
  kind: "http",
  channels,
  environments: ["live"],
  settings: HttpSettings,
  secrets: HttpSecrets,
  fault: httpFault,
  errors: genericErrors,
  create: createHttpGateway,
  callbacks: { verify: (request, { settings }) => verifyHttp(request, settings), read: readHttp },
  preview: (attempt, _, settings) =>
    renderRequest(attempt, settings, "https://callback.example/…") ?? {},
  // Both are built into its connections.
  rebuiltBy: ["max_concurrent", "timeout_ms"],
  asks: false,
  hasBreaker: true,
  keepsLists: true,
});
