import { apns } from "./apns.ts";
import { broadcast } from "./broadcast.ts";
import { fcm } from "./fcm.ts";
import { http } from "./http.ts";
import { log } from "./log.ts";
import type { Provider } from "./provider.ts";
import { simulator } from "./simulator.ts";
import { smpp } from "./smpp.ts";
import { smtp } from "./smtp.ts";
import { telegram } from "./telegram.ts";
import { twilio } from "./twilio.ts";
import { whatsapp } from "./whatsapp-cloud.ts";

/** Each kind's provider: a program where there is one to be had. A kind without one fails the suite. */
export const providers: Readonly<Record<string, () => Promise<Provider>>> = {
  apns,
  broadcast,
  fcm,
  http,
  log,
  simulator,
  smpp,
  smtp,
  telegram,
  twilio,
  whatsapp_cloud: whatsapp,
};
