import { Counter } from "prom-client";

const callbacks = new Counter({
  name: "heliograph_provider_callbacks_total",
  help: "Requests of providers to the address of a gateway's callbacks; a forged one is counted here and kept nowhere; unsure: what tells could not be had from the provider, which is to come again",
  labelNames: ["environment", "kind", "verdict"],
});

const mails = new Counter({
  name: "heliograph_inbound_mails_total",
  help: "Mails that other servers brought, by what came of it; a recipient that is none of ours is counted by itself",
  labelNames: ["outcome"],
});

export const countMail = (
  outcome: "stored" | "unknown_recipient" | "too_large" | "too_many" | "busy" | "unavailable",
): void => mails.inc({ outcome });

export const countCallback = (
  environment: string,
  kind: string,
  verdict: "genuine" | "forged" | "handshake" | "unsure",
): void => callbacks.inc({ environment, kind, verdict });
