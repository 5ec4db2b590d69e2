import { collectDefaultMetrics, register } from "prom-client";

export { register as metricsRegister };

let collecting = false;

/** Processor time, memory, event loop and garbage collection of this process, under the names that prom-client gives them. A second call changes nothing. */
export function collectProcessMetrics(): void {
  if (collecting) return;
  collecting = true;
  collectDefaultMetrics();
}
