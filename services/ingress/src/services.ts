import type { Service } from "@heliograph/api";
import { service as inbound } from "@heliograph/inbound";
import { service as consoleService } from "@heliograph/console";
import { service as contacts } from "@heliograph/contacts";
import { service as sandbox } from "@heliograph/sandbox";
import { service as conversations } from "@heliograph/conversations";
import { service as evaluations } from "@heliograph/evaluations";
import { service as suppressions } from "@heliograph/suppressions";
import { service as agents } from "@heliograph/agents";
import { service as mobile } from "@heliograph/mobile";
import { service as control } from "@heliograph/control";
import { service as delivery } from "@heliograph/delivery";
import { service as dispatch } from "@heliograph/dispatch";
import { service as lifecycle } from "@heliograph/lifecycle";
import { service as operations } from "@heliograph/operations";
import { service as templates } from "@heliograph/templates";
import { service as usage } from "@heliograph/usage";
import { service as wallet } from "@heliograph/wallet";
import { service as webhooks } from "@heliograph/webhooks";
import { service as site } from "@heliograph/site";
import { service as ingress } from "./service.ts";

/**
 * Every service there is, in the order in which their endpoints are documented. Routes, the OpenAPI document, what a process runs, the names that
 * `HELIOGRAPH_SERVICES` takes, the images and the scripts follow from this list.
 */
export const services: readonly Service[] = [
  ingress,
  templates,
  wallet,
  dispatch,
  delivery,
  inbound,
  sandbox,
  contacts,
  conversations,
  suppressions,
  agents,
  mobile,
  usage,
  lifecycle,
  webhooks,
  control,
  evaluations,
  operations,
  consoleService,
  site,
];
