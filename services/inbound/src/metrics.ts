import { Counter } from "prom-client";

const callbacks = new Counter({
  name: "heliograph_provider_callbacks_total",
  help: "Requests of providers to the address of a gateway's callbacks; a forged one is counted here and kept nowhere",
  labelNames: ["environment", "kind", "verdict"],
});

export const countCallback = (
  environment: string,
  kind: string,
  verdict: "genuine" | "forged" | "handshake",
): void => callbacks.inc({ environment, kind, verdict });
