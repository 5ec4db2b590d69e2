import { Counter } from "prom-client";

export const spansTold = new Counter({
  name: "heliograph_trace_spans_total",
  help: "Spans by what became of them: exported, dropped because too many waited, failed because the collector did not take them",
  labelNames: ["outcome"],
});
for (const outcome of ["exported", "dropped", "failed"]) spansTold.inc({ outcome }, 0);
