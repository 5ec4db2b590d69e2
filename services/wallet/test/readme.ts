// What the README shows, compiled.
import type { ServiceContext } from "@heliograph/runtime";
import { service } from "@heliograph/wallet";

declare const context: ServiceContext;

const consumers = service.consumers?.(context); // projector and ledger of one environment
export const example = consumers;
